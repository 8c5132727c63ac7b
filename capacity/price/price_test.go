package price_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/price"
)

const gib = 1 << 30

func TestTheEmbeddedListIsWhole(t *testing.T) {
	l := price.Default()
	if l.AsOf.IsZero() || len(l.Providers) != 3 {
		t.Fatalf("as of %v, %d providers", l.AsOf, len(l.Providers))
	}
	for i, name := range []string{"AWS", "Google Cloud", "Azure"} {
		p := l.Providers[i]
		if p.Name != name || p.Region == "" || !strings.HasPrefix(p.Source, "https://") || len(p.Types) < 5 {
			t.Errorf("provider %d is %+v", i, p)
		}
		for _, m := range p.Types { // a slip of the decimal point shows here
			if perCore := m.HourlyUSD / m.VCPU; perCore < 0.02 || perCore > 0.1 {
				t.Errorf("%s costs %v a vCPU and hour", m.Name, perCore)
			}
		}
	}
}

const small = `as_of: 2026-02-03
providers:
  - name: Here
    region: cellar
    source: none
    types:
      - {name: s, vcpu: 2, memory_gib: 4, hourly_usd: 0.10}
      - {name: l, vcpu: 8, memory_gib: 16, hourly_usd: 0.36}
`

func TestCheapest(t *testing.T) {
	l, err := price.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		need     price.Need
		machine  string
		machines int
		per      int
	}{
		"one small":                {price.Need{CPU: 1, Memory: gib, Replicas: 1}, "s", 1, 2},
		"many pack on large":       {price.Need{CPU: 1, Memory: gib, Replicas: 8}, "l", 1, 8},
		"spread over three":        {price.Need{CPU: 1, Memory: gib, Replicas: 6, LeastMachines: 3}, "s", 3, 2},
		"one on each":              {price.Need{CPU: 1, Memory: gib, Replicas: 4, MostPerMachine: 1}, "s", 4, 1},
		"memory decides":           {price.Need{CPU: 0.1, Memory: 3 * gib, Replicas: 2}, "s", 2, 1},
		"too large for small":      {price.Need{CPU: 4, Memory: gib, Replicas: 2}, "l", 1, 2},
		"its own system has part":  {price.Need{CPU: 1, Replicas: 2, Reserve: 0.1}, "s", 2, 1},
		"six of 0.3 in 1.8":        {price.Need{CPU: 0.3, Replicas: 6, Reserve: 0.1}, "s", 1, 6},
		"none":                     {price.Need{CPU: 1, Replicas: 0, LeastMachines: 3}, "s", 0, 2},
		"never more than replicas": {price.Need{CPU: 1, Replicas: 2, LeastMachines: 5}, "s", 2, 2},
	} {
		got, err := l.Providers[0].Cheapest(c.need)
		if err != nil || got.Type.Name != c.machine || got.Machines != c.machines || got.PerMachine != c.per {
			t.Errorf("%s: %+v, %v; want %d × %s with %d each", name, got, err, c.machines, c.machine, c.per)
		}
		if want := float64(c.machines) * got.Type.HourlyUSD * 730; got.MonthlyUSD != want {
			t.Errorf("%s: %v a month, want %v", name, got.MonthlyUSD, want)
		}
	}
	for want, n := range map[greenlight.Code]price.Need{
		greenlight.CodeUnsupported: {CPU: 9, Replicas: 1},
		greenlight.CodeInvalid:     {Replicas: 1},
	} {
		if _, err := l.Providers[0].Cheapest(n); greenlight.CodeOf(err) != want {
			t.Errorf("%+v: %v, want %s", n, err, want)
		}
	}
	if got := price.PerMillion(730*3.6, 1); math.Abs(got-1000) > 1e-9 {
		t.Errorf("a million costs %v, want 1000", got)
	}
	if got := price.PerMillion(1, 0); !math.IsInf(got, 1) {
		t.Errorf("without requests a million costs %v", got)
	}
}

// More replicas never cost less, and what is chosen holds them.
func TestCheapestHoldsAll(t *testing.T) {
	l := price.Default()
	rapid.Check(t, func(t *rapid.T) {
		n := price.Need{
			CPU:      rapid.Float64Range(0.01, 15).Draw(t, "cpu"),
			Memory:   rapid.Int64Range(1<<20, 14*gib).Draw(t, "memory"),
			Replicas: rapid.IntRange(0, 500).Draw(t, "replicas"), LeastMachines: rapid.IntRange(0, 4).Draw(t, "least"),
			MostPerMachine: rapid.IntRange(0, 4).Draw(t, "most"), Reserve: 0.05,
		}
		for _, p := range l.Providers {
			c, err := p.Cheapest(n)
			if err != nil {
				t.Fatal(err)
			}
			if c.Machines*c.PerMachine < n.Replicas || float64(c.PerMachine)*n.CPU > c.Type.VCPU*0.95+1e-6 {
				t.Fatalf("%+v does not hold %+v", c, n)
			}
			more := n
			more.Replicas++
			if d, _ := p.Cheapest(more); d.MonthlyUSD < c.MonthlyUSD {
				t.Fatalf("%d cost %v, one more %v", n.Replicas, c.MonthlyUSD, d.MonthlyUSD)
			}
		}
	})
}

func TestWrongListsNameTheLine(t *testing.T) {
	for want, in := range map[string]string{
		"line 1: 0 documents":                         "",
		"line 1: the file is not a map":               "- 1\n",
		"line 1: the file lacks providers":            "as_of: 2026-01-01\n",
		"line 2: the file has no \"providres\"":       "as_of: 2026-01-01\nprovidres: []\n",
		"line 2: the file has \"as_of\" twice":        "as_of: 2026-01-01\nas_of: 2026-01-01\n",
		"line 1: as_of must be a date":                strings.Replace(small, "2026-02-03", "yesterday", 1),
		"line 2: providers is not a list":             "as_of: 2026-01-01\nproviders: 3\n",
		"line 7: vcpu must be a number":               strings.Replace(small, "vcpu: 2", "vcpu: two", 1),
		"line 8: hourly_usd must be a number above 0": strings.Replace(small, "0.36", "-1", 1),
		"line 8: a type lacks hourly_usd":             strings.Replace(small, ", hourly_usd: 0.36", "", 1),
		"line 7: a type has no \"spot\"":              strings.Replace(small, "vcpu: 2,", "vcpu: 2, spot: 1,", 1),
		"line 8: type s is there twice":               strings.Replace(small, "name: l", "name: s", 1),
		"line 4: region is not a text":                strings.Replace(small, "cellar", "[a]", 1),
		"line 7: memory_gib must be a number above 0": strings.Replace(small, "memory_gib: 4", "memory_gib: .inf", 1),
		"not YAML":                      small + "\t- x: [",
		"nests too deep":                strings.Repeat("[", 100),
		"line 1: nests too deep":        strings.Repeat("- ", 100) + "a",
		"more than 262144 bytes":        strings.Repeat(" ", price.MaxFileBytes+1),
		"line 1: the file is not UTF-8": "\xff",
		"2 documents":                   small + "---\n" + small,
	} {
		l, err := price.Parse([]byte(in))
		if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), want) || l != nil {
			t.Errorf("%.80q: %v, want %q", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("as_of: 2026-01-01\nproviders: &a [*a]\n"))
	f.Add([]byte("? [a]\n: !x {b: |\n c}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := price.Parse(text)
		if err != nil {
			if greenlight.CodeOf(err) != greenlight.CodeInvalid {
				t.Fatalf("%v has code %s", err, greenlight.CodeOf(err))
			}
			return
		}
		for _, p := range l.Providers {
			_, _ = p.Cheapest(price.Need{CPU: 0.5, Memory: gib, Replicas: 3})
		}
	})
}
