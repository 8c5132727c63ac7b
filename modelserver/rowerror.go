package modelserver

import (
	"fmt"
	"strconv"
)

// RowError says which row and column of a request is wrong and what was
// expected. Row counts from 0; it is -1 when the request as a whole is wrong.
type RowError struct {
	Row      int
	Column   string // "" when the row as a whole is wrong
	Expected string // what should stand there
	Got      string // what stands there
	Problem  string // for what expected and got do not say
}

// Error writes `row 2, column "island": expected text, got a number`.
func (e *RowError) Error() string {
	if e.Row < 0 {
		return "rows: " + e.Reason()
	}
	separator := ": "
	if e.Column != "" {
		separator = ", "
	}
	return "row " + strconv.Itoa(e.Row) + separator + e.Reason()
}

// Reason is the error without the row, for those who number rows otherwise:
// `column "island": expected text, got a number`.
func (e *RowError) Reason() string {
	where := ""
	if e.Column != "" {
		where = "column " + strconv.Quote(e.Column) + ": "
	}
	switch {
	case e.Problem != "" && e.Expected != "":
		return fmt.Sprintf("%s%s; expected %s", where, e.Problem, e.Expected)
	case e.Problem != "":
		return where + e.Problem
	}
	return fmt.Sprintf("%sexpected %s, got %s", where, e.Expected, e.Got)
}
