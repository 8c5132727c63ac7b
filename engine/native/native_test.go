package native_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/engine/enginetest"
	"github.com/greenlight-dev/greenlight/engine/native"
)

func TestContract(t *testing.T) { enginetest.Run(t, native.New(native.Options{})) }

func TestContractWithoutFusing(t *testing.T) {
	enginetest.Run(t, native.New(native.Options{NoFuse: true}))
}
