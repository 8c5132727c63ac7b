//go:build !amd64

package tree

// available gives the vector instructions to use: there is no assembly here, so
// no forest has a quick.
func available() []vectors { return []vectors{none} }

const noAssembly = "tree: no assembly for this processor"

func (vectors) read(_ []int32, _ []float32, _ *[maxVectorLanes]int32, _, _ []int32) {
	panic(noAssembly)
}

func (vectors) mask(_ []uint32, _, _ []int32, _ []ruling) { panic(noAssembly) }

func (vectors) find(_, _ []uint32, _ []int32, _ []uint32) { panic(noAssembly) }

func (vectors) sum(_ []float32, _ []uint32) { panic(noAssembly) }

func (vectors) sumEach(_ []float32, _ []uint32, _ []int32) { panic(noAssembly) }

func (*sweep) run(_ []uint32, _ []float32, _ []uint32) { panic(noAssembly) }
