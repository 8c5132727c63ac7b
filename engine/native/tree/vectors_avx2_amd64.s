#include "textflag.h"

// Eight rows at a time. See quick; the steps are those of AVX-512.

// func readAVX2(keys []int32, x []float32, at *[16]int32, features, nan []int32)
TEXT ·readAVX2(SB), NOSPLIT, $0-104
	MOVQ keys_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ at+48(FP), AX
	VMOVDQU (AX), Y7
	MOVQ features_base+56(FP), R8
	MOVQ features_len+64(FP), CX
	MOVQ nan_base+80(FP), R9
	VXORPS Y0, Y0, Y0
	TESTQ CX, CX
	JZ    done

feature:
	MOVLQSX (R8), AX
	LEAQ (SI)(AX*4), AX
	VPCMPEQD Y3, Y3, Y3
	VXORPS Y1, Y1, Y1
	VGATHERDPS Y3, (AX)(Y7*4), Y1
	VADDPS Y0, Y1, Y1
	VCMPPS $3, Y1, Y1, Y4
	VPSRAD $31, Y1, Y2
	VPSRLD $1, Y2, Y2
	VPXOR Y2, Y1, Y1
	VPBROADCASTD (R9), Y5
	VPBLENDVB Y4, Y5, Y1, Y1
	VMOVDQU Y1, (DI)
	ADDQ $4, R8
	ADDQ $4, R9
	ADDQ $32, DI
	DECQ CX
	JNZ  feature

done:
	VZEROUPPER
	RET

// func maskAVX2(bits []uint32, keys, starts []int32, rulings []ruling)
TEXT ·maskAVX2(SB), NOSPLIT, $0-96
	MOVQ bits_base+0(FP), DI
	MOVQ bits_len+8(FP), CX
	MOVQ keys_base+24(FP), SI
	MOVQ starts_base+48(FP), R8
	MOVQ starts_len+56(FP), R9
	MOVQ rulings_base+72(FP), R10
	VPCMPEQD Y0, Y0, Y0
	MOVQ DI, AX

fill:
	VMOVDQU Y0, (AX)
	ADDQ $32, AX
	SUBQ $8, CX
	JGT  fill
	TESTQ R9, R9
	JZ    done

slot:
	VMOVDQU (SI), Y1
	MOVLQSX (R8), R11
	ADDQ R10, R11

ruling:
	VPBROADCASTD (R11), Y2
	VPCMPGTD Y2, Y1, Y2 // lanes that go to "no"
	VPTEST Y2, Y2
	JEQ  last
	VPBROADCASTD 12(R11), Y4
	MOVL 4(R11), AX
	VPBROADCASTD 8(R11), Y3
	VPCMPGTD Y4, Y1, Y4
	VPANDN Y2, Y3, Y3 // the bits to clear in those
	VPANDN (DI)(AX*1), Y3, Y3
	VMOVDQU Y3, (DI)(AX*1)
	MOVL 16(R11), BX
	VPBROADCASTD 20(R11), Y5
	VPANDN Y4, Y5, Y5
	VPANDN (DI)(BX*1), Y5, Y5
	VMOVDQU Y5, (DI)(BX*1)
	ADDQ $24, R11
	JMP  ruling

last:
	ADDQ $4, R8
	ADDQ $32, SI
	DECQ R9
	JNZ  slot

done:
	VZEROUPPER
	RET

// func findAVX2(leaves, bits []uint32, words []int32, payloads []uint32)
//
// The number of the lowest bit is read from the exponent of that bit alone as a
// float32. That of the highest bit is negative; the sign goes with the upper
// bits of the exponent.
TEXT ·findAVX2(SB), NOSPLIT, $0-96
	MOVQ leaves_base+0(FP), DI
	MOVQ bits_base+24(FP), SI
	MOVQ words_base+48(FP), R9
	MOVQ words_len+56(FP), CX
	MOVQ payloads_base+72(FP), R8
	MOVQ payloads_len+80(FP), BX
	LEAQ (R8)(BX*4), R8
	ADDQ BX, SI
	MOVQ CX, AX
	SHLQ $5, AX
	ADDQ AX, DI
	VPXOR Y0, Y0, Y0
	VPCMPEQD Y7, Y7, Y7
	VPSRLD $27, Y7, Y6 // 31
	VPSRLD $25, Y7, Y5 // 127

tree:
	SUBQ $32, DI
	MOVL -4(R9)(CX*4), DX

word:
	SUBQ $32, SI
	SUBQ $128, R8
	VMOVDQU (SI), Y1
	VPCMPEQD Y0, Y1, Y3
	VPXOR Y7, Y3, Y3
	VPSUBD Y1, Y0, Y2
	VPAND Y1, Y2, Y2
	VCVTDQ2PS Y2, Y2
	VPSRLD $23, Y2, Y2
	VPSUBD Y5, Y2, Y2
	VPAND Y6, Y2, Y2
	VPGATHERDD Y3, (R8)(Y2*4), Y4
	DECL DX
	JNZ  word
	VMOVDQU Y4, (DI)
	DECQ CX
	JNZ  tree
	VZEROUPPER
	RET

// func sumAVX2(sums []float32, leaves []uint32)
TEXT ·sumAVX2(SB), NOSPLIT, $0-48
	MOVQ sums_base+0(FP), DI
	MOVQ leaves_base+24(FP), SI
	MOVQ leaves_len+32(FP), CX
	VXORPS Y0, Y0, Y0

tree:
	VADDPS (SI), Y0, Y0
	ADDQ $32, SI
	SUBQ $8, CX
	JGT  tree
	VMOVUPS Y0, (DI)
	VZEROUPPER
	RET

// func sumEachAVX2(sums []float32, leaves []uint32, targets []int32)
TEXT ·sumEachAVX2(SB), NOSPLIT, $0-72
	MOVQ sums_base+0(FP), DI
	MOVQ leaves_base+24(FP), SI
	MOVQ targets_base+48(FP), R8
	MOVQ targets_len+56(FP), CX

tree:
	MOVLQSX (R8), AX
	VMOVUPS (DI)(AX*1), Y0
	VADDPS (SI), Y0, Y0
	VMOVUPS Y0, (DI)(AX*1)
	ADDQ $4, R8
	ADDQ $32, SI
	DECQ CX
	JNZ  tree
	VZEROUPPER
	RET
