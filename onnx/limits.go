package onnx

import "cmp"

// Limits bounds what a file can make the reader allocate or repeat. A field
// that is zero means its default.
type Limits struct {
	FileBytes   int64 // bytes of the model file, external data not included
	TensorBytes int64 // bytes in memory of all tensors together, external data included
	SparseBytes int64 // of those, bytes of sparse tensors, which are made dense
	Nodes       int   // nodes of all graphs and functions, also after functions are inlined
	Messages    int   // nodes, attributes, tensors, types, names… together
	Attributes  int   // attributes of one node
	Depth       int   // graphs within graphs, types within types, functions within functions
	NameBytes   int   // bytes of one name
	Rank        int   // dimensions of a tensor
}

// DefaultLimits fits every model that protobuf can carry in one file (2 GiB)
// and keeps a hostile one from using more than a small multiple of its size,
// TensorBytes and SparseBytes aside.
func DefaultLimits() Limits {
	return Limits{
		FileBytes:   1<<31 - 1,
		TensorBytes: 8 << 30,
		SparseBytes: 256 << 20,
		Nodes:       500_000,
		Messages:    10_000_000,
		Attributes:  256,
		Depth:       32,
		NameBytes:   8192,
		Rank:        64,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		FileBytes:   cmp.Or(l.FileBytes, d.FileBytes),
		TensorBytes: cmp.Or(l.TensorBytes, d.TensorBytes),
		SparseBytes: cmp.Or(l.SparseBytes, d.SparseBytes),
		Nodes:       cmp.Or(l.Nodes, d.Nodes),
		Messages:    cmp.Or(l.Messages, d.Messages),
		Attributes:  cmp.Or(l.Attributes, d.Attributes),
		Depth:       cmp.Or(l.Depth, d.Depth),
		NameBytes:   cmp.Or(l.NameBytes, d.NameBytes),
		Rank:        cmp.Or(l.Rank, d.Rank),
	}
}
