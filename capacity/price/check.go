package price

import greenlight "github.com/greenlight-dev/greenlight"

// Check tells whether a list that came with a plan can be reckoned with, by
// the bounds that Parse holds.
func (l *List) Check() error {
	types := 0
	for _, p := range l.Providers {
		if p.Name == "" || len(p.Name) > maxText || len(p.Region) > maxText || len(p.Source) > maxText {
			return greenlight.Errorf(greenlight.CodeInvalid, "price list: a provider's name is missing, or a text has more than %d bytes", maxText)
		}
		if types += len(p.Types); types > MaxTypes {
			return greenlight.Errorf(greenlight.CodeInvalid, "price list: more than %d types", MaxTypes)
		}
		for _, t := range p.Types {
			if t.Name == "" || len(t.Name) > maxText || !inside(t.VCPU, mostVCPU) || !inside(t.MemoryGiB, mostMemory) || !inside(t.HourlyUSD, mostHourly) {
				return greenlight.Errorf(greenlight.CodeInvalid, "price list: %s %q: its name is missing or too long, or a figure is outside what is possible", p.Name, clip(t.Name))
			}
		}
	}
	return nil
}

func inside(v, most float64) bool { return v > 0 && v <= most }
