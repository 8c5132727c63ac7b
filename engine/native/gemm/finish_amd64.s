#include "textflag.h"
#include "go_asm.h"

// Completing a tile of C in place, row by row:
// clamp(leaky(c + colBias + rowBias)).
//
// SI  row of C        R8  bytes from row to row    R9  rows left
// R10 colBias or nil  R11 rowBias or nil
// R12 whole vectors in a row                       R13 columns after them
// AX, BX, CX  C, colBias and vectors left within the row
//
// An absent bias is -0, which changes nothing, not even a zero's sign. The
// bounds are the first operand of MAX and MIN, so that NaN in C passes through.

DATA ·minusZero+0(SB)/4, $0x80000000
GLOBL ·minusZero(SB), RODATA|NOPTR, $4

// Registers: 0 the value, 1 lower and 2 upper bound, 3 slope, 4 zero, 5 row
// bias, 6 column bias.
#define ACTIVATE512 \
	VADDPS Z6, Z0, Z0     \
	VADDPS Z5, Z0, Z0     \
	VCMPPS $1, Z4, Z0, K2 \
	VMULPS Z3, Z0, K2, Z0 \
	VMAXPS Z0, Z1, Z0     \
	VMINPS Z0, Z2, Z0

// func finishAVX512(f *finishing)
TEXT ·finishAVX512(SB), NOSPLIT, $0-8
	MOVQ f+0(FP), DI
	MOVQ finishing_c(DI), SI
	MOVQ finishing_ldc(DI), R8
	SHLQ $2, R8
	MOVQ finishing_rows(DI), R9
	MOVQ finishing_colBias(DI), R10
	MOVQ finishing_rowBias(DI), R11
	MOVQ finishing_cols(DI), R12
	MOVQ R12, CX
	ANDQ $15, CX
	MOVQ CX, R13
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1
	SHRQ $4, R12
	VBROADCASTSS finishing_lo(DI), Z1
	VBROADCASTSS finishing_hi(DI), Z2
	VBROADCASTSS finishing_slope(DI), Z3
	VPXORD Z4, Z4, Z4
	VBROADCASTSS ·minusZero(SB), Z5
	VBROADCASTSS ·minusZero(SB), Z6

row:
	TESTQ R11, R11
	JZ    columns
	VBROADCASTSS (R11), Z5
	ADDQ  $4, R11

columns:
	MOVQ  SI, AX
	MOVQ  R10, BX
	MOVQ  R12, CX
	TESTQ CX, CX
	JZ    tail

vector:
	TESTQ BX, BX
	JZ    plain
	VMOVUPS (BX), Z6
	ADDQ  $64, BX

plain:
	VMOVUPS (AX), Z0
	ACTIVATE512
	VMOVUPS Z0, (AX)
	ADDQ  $64, AX
	DECQ  CX
	JNZ   vector

tail:
	TESTQ R13, R13
	JZ    next
	TESTQ BX, BX
	JZ    plainTail
	VMOVUPS.Z (BX), K1, Z6

plainTail:
	VMOVUPS.Z (AX), K1, Z0
	ACTIVATE512
	VMOVUPS Z0, K1, (AX)

next:
	ADDQ R8, SI
	DECQ R9
	JNZ  row
	VZEROUPPER
	RET

#define ACTIVATE256 \
	VADDPS Y6, Y0, Y0        \
	VADDPS Y5, Y0, Y0        \
	VMULPS Y3, Y0, Y8        \
	VCMPPS $1, Y4, Y0, Y9    \
	VBLENDVPS Y9, Y8, Y0, Y0 \
	VMAXPS Y0, Y1, Y0        \
	VMINPS Y0, Y2, Y0

// func finishAVX2(f *finishing)
TEXT ·finishAVX2(SB), NOSPLIT, $0-8
	MOVQ f+0(FP), DI
	MOVQ finishing_c(DI), SI
	MOVQ finishing_ldc(DI), R8
	SHLQ $2, R8
	MOVQ finishing_rows(DI), R9
	MOVQ finishing_colBias(DI), R10
	MOVQ finishing_rowBias(DI), R11
	MOVQ finishing_cols(DI), R12
	MOVQ R12, R13
	ANDQ $7, R13
	LEAQ ·laneMask+32(SB), AX
	MOVQ R13, CX
	SHLQ $2, CX
	SUBQ CX, AX
	VMOVUPS (AX), Y7
	SHRQ $3, R12
	VBROADCASTSS finishing_lo(DI), Y1
	VBROADCASTSS finishing_hi(DI), Y2
	VBROADCASTSS finishing_slope(DI), Y3
	VXORPS Y4, Y4, Y4
	VBROADCASTSS ·minusZero(SB), Y5
	VBROADCASTSS ·minusZero(SB), Y6

row:
	TESTQ R11, R11
	JZ    columns
	VBROADCASTSS (R11), Y5
	ADDQ  $4, R11

columns:
	MOVQ  SI, AX
	MOVQ  R10, BX
	MOVQ  R12, CX
	TESTQ CX, CX
	JZ    tail

vector:
	TESTQ BX, BX
	JZ    plain
	VMOVUPS (BX), Y6
	ADDQ  $32, BX

plain:
	VMOVUPS (AX), Y0
	ACTIVATE256
	VMOVUPS Y0, (AX)
	ADDQ  $32, AX
	DECQ  CX
	JNZ   vector

tail:
	TESTQ R13, R13
	JZ    next
	TESTQ BX, BX
	JZ    plainTail
	VMASKMOVPS (BX), Y7, Y6

plainTail:
	VMASKMOVPS (AX), Y7, Y0
	ACTIVATE256
	VMASKMOVPS Y0, Y7, (AX)

next:
	ADDQ R8, SI
	DECQ R9
	JNZ  row
	VZEROUPPER
	RET
