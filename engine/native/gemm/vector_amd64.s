#include "textflag.h"

// Vector primitives for AVX2 and FMA, eight elements at a time. The last
// n mod 8 are loaded and stored under a mask and go through the same
// arithmetic, so an element's result does not depend on its position.
//
// CX counts the elements left; Y15 is the mask of the last ones.

// TAILMASK sets Y15 to CX lanes, CX < 8. Clobbers CX and AX.
#define TAILMASK \
	LEAQ ·laneMask+32(SB), AX \
	SHLQ $2, CX               \
	SUBQ CX, AX               \
	VMOVUPS (AX), Y15

// SUM adds up the lanes of Y0 into X0. Clobbers Y1.
#define SUM \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS   X1, X0, X0     \
	VMOVHLPS X0, X0, X1     \
	VADDPS   X1, X0, X0     \
	VMOVSHDUP X0, X1        \
	VADDSS   X1, X0, X0

// func dotAVX2(x, y []float32) float32
TEXT ·dotAVX2(SB), NOSPLIT, $0-52
	MOVQ x_base+0(FP), SI
	MOVQ y_base+24(FP), DI
	MOVQ x_len+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3

four:
	CMPQ CX, $32
	JLT  one
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VMOVUPS 64(SI), Y6
	VMOVUPS 96(SI), Y7
	VFMADD231PS (DI), Y4, Y0
	VFMADD231PS 32(DI), Y5, Y1
	VFMADD231PS 64(DI), Y6, Y2
	VFMADD231PS 96(DI), Y7, Y3
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JMP  four

one:
	CMPQ CX, $8
	JLT  tail
	VMOVUPS (SI), Y4
	VFMADD231PS (DI), Y4, Y0
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JMP  one

tail:
	TESTQ CX, CX
	JZ    sum
	TAILMASK
	VMASKMOVPS (SI), Y15, Y4
	VMASKMOVPS (DI), Y15, Y5
	VFMADD231PS Y5, Y4, Y1

sum:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	SUM
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func axpyAVX2(dst, x []float32, alpha float32)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-52
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS alpha+48(FP), Y2

one:
	CMPQ CX, $8
	JLT  tail
	VMOVUPS (SI), Y1
	VMOVUPS (DI), Y0
	VFMADD231PS Y1, Y2, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JMP  one

tail:
	TESTQ CX, CX
	JZ    done
	TAILMASK
	VMASKMOVPS (SI), Y15, Y1
	VMASKMOVPS (DI), Y15, Y0
	VFMADD231PS Y1, Y2, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

// func scaleShiftAVX2(dst, src, scale, shift []float32)
TEXT ·scaleShiftAVX2(SB), NOSPLIT, $0-96
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ scale_base+48(FP), R8
	MOVQ shift_base+72(FP), R9
	MOVQ dst_len+8(FP), CX

one:
	CMPQ CX, $8
	JLT  tail
	VMOVUPS (SI), Y0
	VMOVUPS (R8), Y1
	VFMADD213PS (R9), Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R8
	ADDQ $32, R9
	SUBQ $8, CX
	JMP  one

tail:
	TESTQ CX, CX
	JZ    done
	TAILMASK
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (R8), Y15, Y1
	VMASKMOVPS (R9), Y15, Y2
	VFMADD213PS Y2, Y1, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

#define CONST(name, value) \
	DATA name<>+0(SB)/4, value  \
	DATA name<>+4(SB)/4, value  \
	DATA name<>+8(SB)/4, value  \
	DATA name<>+12(SB)/4, value \
	DATA name<>+16(SB)/4, value \
	DATA name<>+20(SB)/4, value \
	DATA name<>+24(SB)/4, value \
	DATA name<>+28(SB)/4, value \
	GLOBL name<>(SB), RODATA|NOPTR, $32

CONST(expMax, $(89.0))
CONST(expMin, $(-104.5))
CONST(log2e, $(1.4426950408889634))

// ln 2 in two parts; the high one has 15 significant bits.
CONST(ln2hi, $(0.693145751953125))
CONST(ln2lo, $(1.4286068202862268e-06))

// 1/i!
CONST(factor2, $(0.5))
CONST(factor3, $(0.16666666666666666))
CONST(factor4, $(0.041666666666666664))
CONST(factor5, $(0.008333333333333333))
CONST(factor6, $(0.001388888888888889))
CONST(factor7, $(0.0001984126984126984))
CONST(one, $(1.0))
CONST(two, $(2.0))
CONST(bias, $127)
CONST(signBit, $0x80000000)

// (tanh(x) - x)/x³ as a polynomial of x², fitted at Chebyshev nodes to
// |x| < 0.625: relative error of tanh(x) 0.1 units in the last place.
CONST(tanhSmall, $(0.625))
CONST(tanh0, $(-0.3333333432674408))
CONST(tanh1, $(0.13333304226398468))
CONST(tanh2, $(-0.05395940691232681))
CONST(tanh3, $(0.021769961342215538))
CONST(tanh4, $(-0.008346980437636375))
CONST(tanh5, $(0.0022958412300795317))

// EXP replaces Y0 by its exponential. Clobbers Y1 to Y4.
//
// With n = round(x/ln 2) and r = x - n·ln 2, e^x is 2^n·e^r; |r| < 0.35, where
// the Taylor series to r⁷ is within 0.1 units in the last place. 2^n is applied
// in two halves, so that results below the normal range are rounded once and
// those above it become +Inf. Bounds come first in MIN and MAX: NaN passes.
#define EXP \
	VMOVUPS expMax<>(SB), Y1           \
	VMINPS  Y0, Y1, Y0                 \
	VMOVUPS expMin<>(SB), Y1           \
	VMAXPS  Y0, Y1, Y0                 \
	VMULPS  log2e<>(SB), Y0, Y1        \
	VROUNDPS $0, Y1, Y1                \
	VFNMADD231PS ln2hi<>(SB), Y1, Y0   \
	VFNMADD231PS ln2lo<>(SB), Y1, Y0   \
	VCVTPS2DQ Y1, Y1                   \
	VMOVUPS factor7<>(SB), Y2          \
	VFMADD213PS factor6<>(SB), Y0, Y2  \
	VFMADD213PS factor5<>(SB), Y0, Y2  \
	VFMADD213PS factor4<>(SB), Y0, Y2  \
	VFMADD213PS factor3<>(SB), Y0, Y2  \
	VFMADD213PS factor2<>(SB), Y0, Y2  \
	VFMADD213PS one<>(SB), Y0, Y2      \
	VFMADD213PS one<>(SB), Y0, Y2      \
	VPSRAD  $1, Y1, Y3                 \
	VPSUBD  Y3, Y1, Y1                 \
	VPADDD  bias<>(SB), Y3, Y3         \
	VPADDD  bias<>(SB), Y1, Y1         \
	VPSLLD  $23, Y3, Y3                \
	VPSLLD  $23, Y1, Y1                \
	VMULPS  Y3, Y2, Y2                 \
	VMULPS  Y1, Y2, Y0

// SIGMOID replaces Y0 by 1/(1+e^-Y0).
#define SIGMOID \
	VXORPS  signBit<>(SB), Y0, Y0 \
	EXP                           \
	VMOVUPS one<>(SB), Y1         \
	VADDPS  Y1, Y0, Y0            \
	VDIVPS  Y0, Y1, Y0

// TANH replaces Y0 by its hyperbolic tangent: the polynomial where |x| is
// small, otherwise 1 - 2/(e^2|x| + 1) with the sign of x.
#define TANH \
	VMOVUPS Y0, Y5                   \
	VANDPS  signBit<>(SB), Y0, Y6    \
	VXORPS  Y6, Y0, Y7               \
	VADDPS  Y7, Y7, Y0               \
	EXP                              \
	VADDPS  one<>(SB), Y0, Y0        \
	VMOVUPS two<>(SB), Y1            \
	VDIVPS  Y0, Y1, Y0               \
	VMOVUPS one<>(SB), Y1            \
	VSUBPS  Y0, Y1, Y0               \
	VORPS   Y6, Y0, Y0               \
	VMULPS  Y5, Y5, Y1               \
	VMOVUPS tanh5<>(SB), Y2          \
	VFMADD213PS tanh4<>(SB), Y1, Y2  \
	VFMADD213PS tanh3<>(SB), Y1, Y2  \
	VFMADD213PS tanh2<>(SB), Y1, Y2  \
	VFMADD213PS tanh1<>(SB), Y1, Y2  \
	VFMADD213PS tanh0<>(SB), Y1, Y2  \
	VMULPS  Y1, Y5, Y1               \
	VFMADD213PS Y5, Y1, Y2           \
	VCMPPS  $1, tanhSmall<>(SB), Y7, Y1 \
	VBLENDVPS Y1, Y2, Y0, Y0

// ELEMENTWISE is the body of a function of dst and src.
#define ELEMENTWISE(FUNCTION) \
	MOVQ dst_base+0(FP), DI  \
	MOVQ src_base+24(FP), SI \
	MOVQ dst_len+8(FP), CX   \
whole:                       \
	CMPQ CX, $8              \
	JLT  tail                \
	VMOVUPS (SI), Y0         \
	FUNCTION                 \
	VMOVUPS Y0, (DI)         \
	ADDQ $32, SI             \
	ADDQ $32, DI             \
	SUBQ $8, CX              \
	JMP  whole               \
tail:                        \
	TESTQ CX, CX             \
	JZ    done               \
	TAILMASK                 \
	VMASKMOVPS (SI), Y15, Y0 \
	FUNCTION                 \
	VMASKMOVPS Y0, Y15, (DI) \
done:                        \
	VZEROUPPER               \
	RET

// func expAVX2(dst, src []float32)
TEXT ·expAVX2(SB), NOSPLIT, $0-48
	ELEMENTWISE(EXP)

// func sigmoidAVX2(dst, src []float32)
TEXT ·sigmoidAVX2(SB), NOSPLIT, $0-48
	ELEMENTWISE(SIGMOID)

// func tanhAVX2(dst, src []float32)
TEXT ·tanhAVX2(SB), NOSPLIT, $0-48
	ELEMENTWISE(TANH)
