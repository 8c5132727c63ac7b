package control

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// branch runs one of two subgraphs, which take no inputs.
type branch struct{ then, otherwise op.Program }

// inferIf gives the outputs the types on which both branches agree.
func inferIf(n *op.Node) error {
	then, err := graphAttr(n, "then_branch")
	if err != nil {
		return err
	}
	otherwise, err := graphAttr(n, "else_branch")
	if err != nil {
		return err
	}
	for i := range min(len(n.Out), len(then.Outputs), len(otherwise.Outputs)) {
		a, b := loose(then.Outputs[i].Type), loose(otherwise.Outputs[i].Type)
		if a.String() == b.String() {
			n.SetOut(i, a)
		}
	}
	return nil
}

func buildIf(n *op.Node) (op.Kernel, error) {
	then, err := compile(n, "then_branch", 0, len(n.Outputs))
	if err != nil {
		return nil, err
	}
	otherwise, err := compile(n, "else_branch", 0, len(n.Outputs))
	if err != nil {
		return nil, err
	}
	return &branch{then, otherwise}, nil
}

// branchState keeps what each branch put out last, as memory for the next run.
type branchState struct{ then, otherwise []tensor.Value }

func (k *branch) Run(c *op.Context) error {
	cond, err := truth(c.T(0))
	if err != nil {
		return err
	}
	s := op.State[branchState](c)
	program, out := k.otherwise, &s.otherwise
	if cond {
		program, out = k.then, &s.then
	}
	if *out == nil {
		*out = make([]tensor.Value, len(program.Outputs()))
	}
	if err := program.Run(c, nil, *out); err != nil {
		return err
	}
	for i, v := range *out {
		c.Set(i, v)
	}
	return nil
}
