package sqlite_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
	"github.com/greenlight-dev/greenlight/store/storetest"
)

func open(ctx context.Context, dir string) (store.Store, error) {
	s, err := sqlite.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func TestMain(m *testing.M) {
	storetest.Child(open)
	goleak.VerifyTestMain(m)
}

func TestStore(t *testing.T) { storetest.Run(t, open) }
