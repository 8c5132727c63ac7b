// Command orders takes a shop's orders and numbers them one after the other.
// ORDER_NUMBERS says how: by a counter that the shop keeps in a row, or by a
// sequence of the database.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("DATABASE_URL"), os.Getenv("PORT"), os.Getenv("ORDER_NUMBERS")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, database, port, numbers string) error {
	next, known := numberings[numbers]
	if !known {
		return fmt.Errorf("ORDER_NUMBERS is %q; want counter or sequence", numbers)
	}
	pool, err := open(ctx, database)
	if err != nil {
		return err
	}
	defer pool.Close()
	s := &shop{pool: pool, next: next}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.order)
	return serve(ctx, net.JoinHostPort("127.0.0.1", port), mux)
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// connections is how many orders can be in the database at once.
const connections = 32

const schema = `
CREATE SEQUENCE IF NOT EXISTS order_numbers;
CREATE TABLE IF NOT EXISTS counters (name text PRIMARY KEY, value bigint NOT NULL);
INSERT INTO counters VALUES ('orders', 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS orders (number bigint NOT NULL, payment text NOT NULL, at timestamptz NOT NULL DEFAULT now())`

func open(ctx context.Context, database string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	// Replicas start together, and what they create must be created once.
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(1)"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("preparing the database: %w", err)
	}
	return pool, nil
}

// numbering gives the next order's number within its transaction.
type numbering func(context.Context, pgx.Tx) (int64, error)

var numberings = map[string]numbering{
	// The row stays locked until the transaction has ended, so the next
	// order waits for all that this one still does.
	"counter": numberBy("UPDATE counters SET value = value + 1 WHERE name = 'orders' RETURNING value"),
	// A sequence gives its next value to whoever asks and locks nothing; an
	// order that is rolled back leaves a gap.
	"sequence": numberBy("SELECT nextval('order_numbers')"),
}

func numberBy(query string) numbering {
	return func(ctx context.Context, tx pgx.Tx) (number int64, err error) {
		err = tx.QueryRow(ctx, query).Scan(&number)
		return number, err
	}
}

type shop struct {
	pool *pgxpool.Pool
	next numbering
}

func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	number, err := s.take(r.Context())
	if errors.Is(err, context.Canceled) {
		return // nobody waits for the answer
	}
	if err != nil {
		log.Print(err)
		http.Error(w, "the order was not taken", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]int64{"number": number}) // the client may have gone
}

// take numbers an order, has it paid for, and keeps it: all of it or nothing.
func (s *shop) take(ctx context.Context) (number int64, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if number, err = s.next(ctx, tx); err != nil {
			return fmt.Errorf("numbering an order: %w", err)
		}
		payment, err := pay(ctx, number)
		if err != nil {
			return fmt.Errorf("paying for order %d: %w", number, err)
		}
		_, err = tx.Exec(ctx, "INSERT INTO orders (number, payment) VALUES ($1, $2)", number, payment)
		return err
	})
	return number, err
}

// pay stands for a payment provider, which takes 20 ms to answer.
func pay(ctx context.Context, number int64) (string, error) {
	select {
	case <-time.After(20 * time.Millisecond):
		return fmt.Sprintf("payment-%d", number), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
