#include "textflag.h"
#include "go_asm.h"

// The maximum of x and y goes to x; where either is NaN, NaN.
#define MAXNAN(x, y, mask) \
	VCMPPS $3, y, x, mask \
	VMAXPS y, x, x        \
	VORPS  mask, x, x

// func maxHalvesAVX(h *halves)
//
// SI  upper row of a pair    R10 bytes to the lower one   R11 to the next pair
// BX  output                 R12 outputs in a row         DX  rows left
// R8, R9  upper and lower within the row
TEXT ·maxHalvesAVX(SB), NOSPLIT, $0-8
	MOVQ h+0(FP), DI
	MOVQ halves_src(DI), SI
	MOVQ halves_dst(DI), BX
	MOVQ halves_width(DI), R10
	SHLQ $2, R10
	MOVQ R10, R11
	SHLQ $1, R11
	MOVQ halves_out(DI), R12
	MOVQ halves_rows(DI), DX

row:
	MOVQ SI, R8
	LEAQ (SI)(R10*1), R9
	MOVQ R12, CX
	SHRQ $2, CX
	JZ   pair

quad:
	VMOVUPS (R8), X0
	VMOVUPS 16(R8), X1
	VMOVUPS (R9), X2
	VMOVUPS 16(R9), X3
	MAXNAN(X0, X2, X4)
	MAXNAN(X1, X3, X5)
	VSHUFPS $0x88, X1, X0, X6
	VSHUFPS $0xDD, X1, X0, X7
	MAXNAN(X6, X7, X4)
	VMOVUPS X6, (BX)
	ADDQ    $32, R8
	ADDQ    $32, R9
	ADDQ    $16, BX
	DECQ    CX
	JNZ     quad

pair:
	TESTQ   $2, R12
	JZ      single
	VMOVUPS (R8), X0
	VMOVUPS (R9), X2
	MAXNAN(X0, X2, X4)
	VSHUFPS $0x88, X0, X0, X6
	VSHUFPS $0xDD, X0, X0, X7
	MAXNAN(X6, X7, X4)
	VMOVSD  X6, (BX)
	ADDQ    $16, R8
	ADDQ    $16, R9
	ADDQ    $8, BX

single:
	TESTQ   $1, R12
	JZ      next
	VMOVSD  (R8), X0
	VMOVSD  (R9), X2
	MAXNAN(X0, X2, X4)
	VSHUFPS $0xDD, X0, X0, X7
	MAXNAN(X0, X7, X4)
	VMOVSS  X0, (BX)
	ADDQ    $4, BX

next:
	ADDQ R11, SI
	DECQ DX
	JNZ  row
	RET

// func maxFloatsAVX(dst, src *float32, n int)
TEXT ·maxFloatsAVX(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	SHRQ $3, CX

eight:
	VMOVUPS (DI), Y0
	VMOVUPS (SI), Y1
	MAXNAN(Y0, Y1, Y2)
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	DECQ    CX
	JNZ     eight
	VZEROUPPER
	RET
