//go:build !linux

package measure

import (
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

var errOther = greenlight.Errorf(greenlight.CodeUnsupported, "only Linux tells what replicas use and holds them to a quota; measure there")

func used([]int) (map[int]time.Duration, error) { return nil, errOther }

func idleTime() (time.Duration, error) { return 0, errOther }
