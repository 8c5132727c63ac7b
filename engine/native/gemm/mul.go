package gemm

// Mul computes C[m×n] from A[m×k]·B[k×n] and the epilogue. With transA, a holds
// Aᵀ (k × m); with transB, b holds Bᵀ (n × k). C must not overlap the operands.
func Mul(ws *Workspace, m, n, k int, a []float32, lda int, transA bool,
	b []float32, ldb int, transB bool, c []float32, ldc int, ep Epilogue) {
	checkMatrix("A", a, m, k, lda, transA)
	checkMatrix("B", b, k, n, ldb, transB)
	p := product{kernel: ws.Kernel.resolve(), m: m, n: n, k: k, c: c, ldc: ldc, ep: ep}
	p.varyingA(newStridedA(a, lda, transA), ep.alpha())
	p.varyingB(ws, stridedB{b, ldb, transB})
	p.run(ws)
	ws.strided = stridedB{}
}

// Mul computes C[m×n] from A[m×k]·B and the epilogue.
func (pb *PackedB) Mul(ws *Workspace, m int, a []float32, lda int, c []float32, ldc int, ep Epilogue) {
	checkMatrix("A", a, m, pb.k, lda, false)
	p := product{kernel: pb.kernel, m: m, n: pb.n, k: pb.k, c: c, ldc: ldc, ep: ep}
	p.varyingA(newStridedA(a, lda, false), ep.alpha())
	p.b, p.rsb = pb.data, p.geo.panelCols
	p.panelStep = pb.k * p.geo.panelCols
	p.run(ws)
}

// Mul computes C[m×n] from A·B[k×n] and the epilogue. With transB, b holds Bᵀ.
func (pa *PackedA) Mul(ws *Workspace, n int, b []float32, ldb int, transB bool, c []float32, ldc int, ep Epilogue) {
	checkMatrix("B", b, pa.k, n, ldb, transB)
	p := pa.product(n, c, ldc, ep)
	p.alphaB = ep.alpha()
	p.varyingB(ws, stridedB{b, ldb, transB})
	p.run(ws)
	ws.strided = stridedB{}
}

// MulPacker is Mul with a B of k × n that packer makes.
func (pa *PackedA) MulPacker(ws *Workspace, n int, packer BPacker, c []float32, ldc int, ep Epilogue) {
	p := pa.product(n, c, ldc, ep)
	p.packer = packer
	p.alphaB = ep.alpha()
	p.run(ws)
}

func (pa *PackedA) product(n int, c []float32, ldc int, ep Epilogue) product {
	p := product{kernel: pa.kernel, m: pa.m, n: n, k: pa.k, c: c, ldc: ldc, ep: ep, packedA: pa.data}
	p.geo = p.kernel.geometry()
	p.rows = splitRows(p.m, p.geo.tileRows)
	return p
}

// smallB is up to how many floats B is read where it lies although several tiles
// of rows use it: packing them takes longer than it saves (measured).
const smallB = 32768

// product is one multiplication under way.
type product struct {
	kernel  Kernel
	geo     *geometry
	m, n, k int
	rows    rowSplit

	packedA   []float32 // the whole of A, or nil
	a         stridedA  // where packedA is nil
	packA     bool      // pack a block of A at a time, times alphaA
	alphaA    float32
	bufferA   []float32
	packer    BPacker // makes panels of B, or nil
	alphaB    float32 // applied after packing B; 0 counts as 1
	bufferB   []float32
	b         []float32 // where packer is nil
	rsb       int       // from one row of b to the next
	panelStep int       // from one panel of b to the next

	c       []float32
	ldc     int
	ep      Epilogue
	changes bool
}

// varyingA sets up an A that is read where it lies: the micro-kernels take any
// strides, and up to a thousand columns that measures faster than packing.
// Only a factor makes packing necessary.
func (p *product) varyingA(a stridedA, alpha float32) {
	p.geo = p.kernel.geometry()
	p.rows = splitRows(p.m, p.geo.tileRows)
	p.a, p.alphaA, p.packA = a, alpha, alpha != 1
}

// varyingB sets up a B that is read where it lies if that is as fast as
// packing: used by one tile of rows only, or small.
func (p *product) varyingB(ws *Workspace, b stridedB) {
	scaled := p.alphaB != 0 && p.alphaB != 1
	if !b.trans && !scaled && (p.rows.tiles <= 1 || p.k*b.ld <= smallB) {
		p.b, p.rsb, p.panelStep = b.data, b.ld, p.geo.panelCols
		return
	}
	ws.strided = b
	p.packer = &ws.strided
}

// block is a part of the product: columns j0 … j1 and steps p0 … p1.
type block struct{ j0, j1, p0, p1 int }

func (p *product) run(ws *Workspace) {
	checkMatrix("C", p.c, p.m, p.n, p.ldc, false)
	p.ep.check(p.m, p.n)
	if p.m == 0 || p.n == 0 {
		return
	}
	p.changes = p.ep.changes()
	if p.k == 0 {
		p.empty()
		return
	}
	stepK := blockK
	if p.rows.tiles == 1 && p.packer == nil && !p.packA {
		stepK = p.k // nothing is reused, so nothing has to stay in a cache
	}
	p.buffers(ws, min(stepK, p.k))
	for j0 := 0; j0 < p.n; j0 += blockCols {
		for p0 := 0; p0 < p.k; p0 += stepK {
			p.block(block{j0, min(j0+blockCols, p.n), p0, min(p0+stepK, p.k)})
		}
	}
}

func (p *product) buffers(ws *Workspace, kb int) {
	if p.packA {
		p.bufferA = grow(&ws.a, min(p.m, blockRows+p.geo.tileRows)*kb)
	}
	if p.packer != nil {
		width := p.geo.panelCols
		p.bufferB = grow(&ws.b, ceilDiv(min(p.n, blockCols), width)*width*kb)
	}
}

// empty is the product over k = 0.
func (p *product) empty() {
	for i := range p.m {
		row := p.c[i*p.ldc:][:p.n]
		if !p.ep.Accumulate {
			clear(row)
		}
	}
	p.complete(0, p.m, 0, p.n)
}

// block adds the steps p0 … p1 to the columns j0 … j1 of every row.
func (p *product) block(b block) {
	group := max(1, blockRows/p.geo.tileRows)
	for t0 := 0; t0 < p.rows.tiles; t0 += group {
		t1 := min(t0+group, p.rows.tiles)
		p.packRows(b, t0, t1)
		for j := b.j0; j < b.j1; {
			cols := p.span(b.j1 - j)
			if t0 == 0 && p.packer != nil {
				p.packPanels(b, j, cols)
			}
			for t := t0; t < t1; t++ {
				p.tile(b, t, p.rows.start(t0), j, cols)
			}
			j += cols
		}
	}
}

// span returns how many of the columns left the next tiles take.
func (p *product) span(left int) int {
	width := p.geo.panelCols
	if p.m < len(p.geo.wide) {
		for w := p.geo.wide[p.m]; w > 1; w /= 2 {
			if left >= w*width {
				return w * width
			}
		}
	}
	return min(left, width)
}

func (p *product) packRows(b block, t0, t1 int) {
	if !p.packA {
		return
	}
	first, kb := p.rows.start(t0), b.p1-b.p0
	for t := t0; t < t1; t++ {
		i0, i1 := p.rows.start(t), p.rows.start(t+1)
		p.a.pack(p.bufferA[(i0-first)*kb:(i1-first)*kb], i0, i1, b.p0, b.p1, p.alphaA)
	}
}

func (p *product) packPanels(b block, j, cols int) {
	width, kb := p.geo.panelCols, b.p1-b.p0
	for end := j + cols; j < end; j += width {
		dst := p.bufferB[(j-b.j0)*kb:][:width*kb]
		j1 := min(j+width, end)
		p.packer.PackPanel(dst, width, b.p0, b.p1, j, j1)
		if p.alphaB != 0 && p.alphaB != 1 {
			scalePanel(dst, width, j1-j, p.alphaB)
		}
	}
}

func scalePanel(panel []float32, stride, cols int, alpha float32) {
	for ; len(panel) > 0; panel = panel[stride:] {
		for j := range panel[:cols] {
			panel[j] *= alpha
		}
	}
}

// tile runs the micro-kernel on one tile of rows, and completes the tile after
// the last step.
func (p *product) tile(b block, index, firstRow, j, cols int) {
	i0, i1 := p.rows.start(index), p.rows.start(index+1)
	rows, kb, width := i1-i0, b.p1-b.p0, p.geo.panelCols
	t := tile{c: p.c[i0*p.ldc+j:], ldc: p.ldc, k: kb, load: b.p0 > 0 || p.ep.Accumulate}
	switch {
	case p.packedA != nil:
		t.a, t.rsa, t.csa = p.packedA[i0*p.k+b.p0*rows:], 1, rows
	case p.packA:
		t.a, t.rsa, t.csa = p.bufferA[(i0-firstRow)*kb:], 1, rows
	default:
		t.a, t.rsa, t.csa = p.a.data[i0*p.a.rs+b.p0*p.a.cs:], p.a.rs, p.a.cs
	}
	if p.packer != nil {
		t.b, t.rsb, t.psb = p.bufferB[(j-b.j0)*kb:], width, width*kb
	} else {
		t.b, t.rsb, t.psb = p.b[j/width*p.panelStep+b.p0*p.rsb:], p.rsb, p.panelStep
	}
	vecs := (cols + p.geo.lanes - 1) / p.geo.lanes
	t.tail = cols - (vecs-1)*p.geo.lanes
	p.kernel.tile(&t, rows, vecs)
	if b.p1 == p.k {
		p.complete(i0, i1, j, cols)
	}
}

// complete applies the epilogue to rows i0 … i1 of cols columns from j on.
func (p *product) complete(i0, i1, j, cols int) {
	c := p.c[i0*p.ldc+j:]
	if p.changes {
		f := p.ep.finishing()
		f.c, f.ldc, f.rows, f.cols = c, p.ldc, i1-i0, cols
		if p.ep.ColBias != nil {
			f.colBias = p.ep.ColBias[j:]
		}
		if p.ep.RowBias != nil {
			f.rowBias = p.ep.RowBias[i0:]
		}
		p.kernel.finish(&f)
	}
	if p.ep.Map == nil {
		return
	}
	for i := range i1 - i0 {
		p.ep.Map(c[i*p.ldc:][:cols])
	}
}
