#include "textflag.h"

// KEYS turns the features whose numbers are at off(AX) into keys, as
// readAVX512 does. SI is the row, BX the keys for NaN.
#define KEYS(off, key) \
	VMOVDQU32 off(AX), Z1              \
	KXNORW    K1, K1, K1               \
	VPXORD    key, key, key            \
	VGATHERDPS (SI)(Z1*4), K1, key     \
	VADDPS    Z0, key, key             \
	VCMPPS    $3, key, key, K2         \
	VPSRAD    $31, key, Z2             \
	VPSRLD    $1, Z2, Z2               \
	VPXORD    Z2, key, key             \
	VMOVDQU32 off(BX), K2, key

// func sweepAVX512(leaves []uint32, row []float32, features, nan []int32, words []sweepWord, tests []sweepTest, payloads []uint32)
//
// Z30 and Z31 hold the keys, Z28 and Z29 those from the 33rd on, Z1 the masks, Z4 the numbers of the leaves.
TEXT ·sweepAVX512(SB), NOSPLIT, $0-168
	MOVQ leaves_base+0(FP), DI
	MOVQ row_base+24(FP), SI
	MOVQ features_base+48(FP), AX
	MOVQ features_len+56(FP), DX
	MOVQ nan_base+72(FP), BX
	MOVQ words_base+96(FP), R9
	MOVQ words_len+104(FP), R11
	MOVQ tests_base+120(FP), R8
	MOVQ payloads_base+144(FP), R10
	VPXORD Z0, Z0, Z0
	KEYS(0, Z30)
	KEYS(64, Z31)
	CMPQ DX, $32
	JLE  ready
	KEYS(128, Z28)
	KEYS(192, Z29)

ready:
	VPTERNLOGD $0xff, Z6, Z6, Z6
	VPSRLD $27, Z6, Z7 // 31
	VPSRLD $31, Z6, Z8
	VPSLLD $5, Z8, Z8 // 32

word:
	VMOVDQA32 Z6, Z1
	MOVL 64(R9), CX
	CMPQ DX, $32
	JGT  wide

test:
	VPMOVZXBD 128(R8), Z2
	VPERMI2D Z31, Z30, Z2
	VPCMPGTD (R8), Z2, K1
	VPANDD 64(R8), Z1, K1, Z1
	ADDQ $144, R8
	DECL CX
	JNZ  test
	JMP  found

wide:
	VPMOVZXBD 128(R8), Z2
	VMOVDQA32 Z2, Z3
	VPTESTMD Z8, Z2, K2
	VPERMI2D Z31, Z30, Z2
	VPERMI2D Z29, Z28, Z3
	VMOVDQA32 Z3, K2, Z2
	VPCMPGTD (R8), Z2, K1
	VPANDD 64(R8), Z1, K1, Z1
	ADDQ $144, R8
	DECL CX
	JNZ  wide

found:
	VPTESTMD Z1, Z1, K1
	VPSUBD Z1, Z0, Z2
	VPANDD Z1, Z2, Z2
	VPLZCNTD Z2, Z2
	VPSUBD Z2, Z7, Z2 // the number of the lowest bit
	VPADDD (R9), Z2, K1, Z4
	CMPL 68(R9), $0
	JEQ  next
	KXNORW K2, K2, K2
	VPGATHERDD (R10)(Z4*4), K2, Z5
	VMOVDQU32 Z5, (DI)
	ADDQ $64, DI

next:
	ADDQ $72, R9
	DECQ R11
	JNZ  word
	VZEROUPPER
	RET
