#include "textflag.h"

// Sixteen rows at a time. See quick.

// func readAVX512(keys []int32, x []float32, at *[16]int32, features, nan []int32)
//
// A number's key is its bits, those of a negative one inverted but for the sign.
// Adding 0 turns -0 into 0 and leaves all others.
TEXT ·readAVX512(SB), NOSPLIT, $0-104
	MOVQ keys_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ at+48(FP), AX
	VMOVDQU32 (AX), Z7
	MOVQ features_base+56(FP), R8
	MOVQ features_len+64(FP), CX
	MOVQ nan_base+80(FP), R9
	VPXORD Z0, Z0, Z0
	TESTQ CX, CX
	JZ    done

feature:
	MOVLQSX (R8), AX
	LEAQ (SI)(AX*4), AX
	KXNORW K1, K1, K1
	VPXORD Z1, Z1, Z1
	VGATHERDPS (AX)(Z7*4), K1, Z1
	VADDPS Z0, Z1, Z1
	VCMPPS $3, Z1, Z1, K2
	VPSRAD $31, Z1, Z2
	VPSRLD $1, Z2, Z2
	VPXORD Z2, Z1, Z1
	VPBROADCASTD (R9), K2, Z1
	VMOVDQU32 Z1, (DI)
	ADDQ $4, R8
	ADDQ $4, R9
	ADDQ $64, DI
	DECQ CX
	JNZ  feature

done:
	VZEROUPPER
	RET

// func maskAVX512(bits []uint32, keys, starts []int32, rulings []ruling)
TEXT ·maskAVX512(SB), NOSPLIT, $0-96
	MOVQ bits_base+0(FP), DI
	MOVQ bits_len+8(FP), CX
	MOVQ keys_base+24(FP), SI
	MOVQ starts_base+48(FP), R8
	MOVQ starts_len+56(FP), R9
	MOVQ rulings_base+72(FP), R10
	VPTERNLOGD $0xff, Z0, Z0, Z0
	MOVQ DI, AX

fill:
	VMOVDQU32 Z0, (AX)
	ADDQ $64, AX
	SUBQ $16, CX
	JGT  fill
	TESTQ R9, R9
	JZ    done

slot:
	VMOVDQU32 (SI), Z1
	MOVLQSX (R8), R11
	ADDQ R10, R11

ruling:
	VPCMPGTD.BCST (R11), Z1, K1
	KORTESTW K1, K1
	JEQ  last
	MOVL 4(R11), AX
	VMOVDQU32 (DI)(AX*1), Z2
	VPANDD.BCST 8(R11), Z2, K1, Z2
	VMOVDQU32 Z2, (DI)(AX*1)
	VPCMPGTD.BCST 12(R11), Z1, K2
	MOVL 16(R11), BX
	VMOVDQU32 (DI)(BX*1), Z3
	VPANDD.BCST 20(R11), Z3, K2, Z3
	VMOVDQU32 Z3, (DI)(BX*1)
	ADDQ $24, R11
	JMP  ruling

last:
	ADDQ $4, R8
	ADDQ $64, SI
	DECQ R9
	JNZ  slot

done:
	VZEROUPPER
	RET

// func findAVX512(leaves, bits []uint32, words []int32, payloads []uint32)
//
// From the last word of the last tree to the first: an earlier word of a tree
// overrides the later ones unless it is 0. The 32 payloads of a word fill two
// vectors.
TEXT ·findAVX512(SB), NOSPLIT, $0-96
	MOVQ leaves_base+0(FP), DI
	MOVQ bits_base+24(FP), SI
	MOVQ words_base+48(FP), R9
	MOVQ words_len+56(FP), CX
	MOVQ payloads_base+72(FP), R8
	MOVQ payloads_len+80(FP), BX
	LEAQ (R8)(BX*4), R8
	ADDQ BX, BX
	ADDQ BX, SI
	MOVQ CX, AX
	SHLQ $6, AX
	ADDQ AX, DI
	VPXORD Z0, Z0, Z0
	VPTERNLOGD $0xff, Z5, Z5, Z5

tree:
	SUBQ $64, DI
	MOVL -4(R9)(CX*4), DX

word:
	SUBQ $64, SI
	SUBQ $128, R8
	VMOVDQU32 (SI), Z1
	VPTESTMD Z1, Z1, K1
	VPSUBD Z1, Z0, Z2
	VPANDD Z1, Z2, Z2
	VPLZCNTD Z2, Z2
	VPXORD Z5, Z2, Z2 // 31 - zeros, in the five bits that count
	VMOVDQU32 (R8), Z3
	VPERMI2D 64(R8), Z3, Z2
	VMOVDQA32 Z2, K1, Z4
	DECL DX
	JNZ  word
	VMOVDQU32 Z4, (DI)
	DECQ CX
	JNZ  tree
	VZEROUPPER
	RET

// func sumAVX512(sums []float32, leaves []uint32)
TEXT ·sumAVX512(SB), NOSPLIT, $0-48
	MOVQ sums_base+0(FP), DI
	MOVQ leaves_base+24(FP), SI
	MOVQ leaves_len+32(FP), CX
	VXORPS X0, X0, X0

tree:
	VADDPS (SI), Z0, Z0
	ADDQ $64, SI
	SUBQ $16, CX
	JGT  tree
	VMOVUPS Z0, (DI)
	VZEROUPPER
	RET

// func sumEachAVX512(sums []float32, leaves []uint32, targets []int32)
TEXT ·sumEachAVX512(SB), NOSPLIT, $0-72
	MOVQ sums_base+0(FP), DI
	MOVQ leaves_base+24(FP), SI
	MOVQ targets_base+48(FP), R8
	MOVQ targets_len+56(FP), CX

tree:
	MOVLQSX (R8), AX
	VMOVUPS (DI)(AX*1), Z0
	VADDPS (SI), Z0, Z0
	VMOVUPS Z0, (DI)(AX*1)
	ADDQ $4, R8
	ADDQ $64, SI
	DECQ CX
	JNZ  tree
	VZEROUPPER
	RET
