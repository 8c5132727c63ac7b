package gemm

// tileGeneric is the micro-kernel in plain Go: up to four rows by one panel of
// four columns. Products are rounded by an explicit conversion, which forbids
// the compiler to fuse them: otherwise results would depend on the compiler's
// choice for each loop.
func tileGeneric(t *tile, rows int) {
	i := 0
	if t.tail == 4 {
		for ; i+2 <= rows; i += 2 {
			t.twoByFour(i)
		}
	}
	for ; i < rows; i++ {
		for j := range t.tail {
			t.single(i, j)
		}
	}
}

func (t *tile) twoByFour(i int) {
	c0 := t.c[i*t.ldc:][:4]
	c1 := t.c[(i+1)*t.ldc:][:4]
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	if t.load {
		s00, s01, s02, s03 = c0[0], c0[1], c0[2], c0[3]
		s10, s11, s12, s13 = c1[0], c1[1], c1[2], c1[3]
	}
	a0, a1, b0 := i*t.rsa, (i+1)*t.rsa, 0
	for range t.k {
		x, y, b := t.a[a0], t.a[a1], t.b[b0:][:4]
		s00 += float32(x * b[0])
		s01 += float32(x * b[1])
		s02 += float32(x * b[2])
		s03 += float32(x * b[3])
		s10 += float32(y * b[0])
		s11 += float32(y * b[1])
		s12 += float32(y * b[2])
		s13 += float32(y * b[3])
		a0, a1, b0 = a0+t.csa, a1+t.csa, b0+t.rsb
	}
	c0[0], c0[1], c0[2], c0[3] = s00, s01, s02, s03
	c1[0], c1[1], c1[2], c1[3] = s10, s11, s12, s13
}

func (t *tile) single(i, j int) {
	var s float32
	if t.load {
		s = t.c[i*t.ldc+j]
	}
	a, b := i*t.rsa, j
	for range t.k {
		s += float32(t.a[a] * t.b[b])
		a, b = a+t.csa, b+t.rsb
	}
	t.c[i*t.ldc+j] = s
}

func finishGeneric(f *finishing) {
	for i := range f.rows {
		row := f.c[i*f.ldc:][:f.cols]
		if f.colBias != nil {
			for j, b := range f.colBias[:f.cols] {
				row[j] += b
			}
		}
		if f.rowBias != nil {
			b := f.rowBias[i]
			for j := range row {
				row[j] += b
			}
		}
		for j, v := range row {
			row[j] = f.activate(v)
		}
	}
}

// activate compares so that NaN passes through.
func (f *finishing) activate(v float32) float32 {
	if v < 0 {
		v *= f.slope
	}
	if v < f.lo {
		v = f.lo
	}
	if v > f.hi {
		v = f.hi
	}
	return v
}
