// What Grafana's ClickHouse plugin does through clickhouse-go over HTTP: connect with its options, look around, ask.
// The store and the values come from the environment; the answers leave as one JSON document, which the test compares.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"
)

type failure struct {
	Type string `json:"type"`
	Code int32  `json:"code"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// What an application finds with errors.As, which is how the plugin tells the server's errors from its own.
func described(err error) failure {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return failure{fmt.Sprintf("%T", exception), exception.Code}
	}
	return failure{fmt.Sprintf("%T: %v", err, err), 0}
}

func texts(db *sql.DB, query string) []string {
	rows := must(db.Query(query))
	defer rows.Close()
	found := []string{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			panic(err)
		}
		found = append(found, text)
	}
	if err := rows.Err(); err != nil {
		panic(err)
	}
	return found
}

func columns(db *sql.DB) [][2]string {
	rows := must(db.Query("SELECT name, type FROM system.columns WHERE (database, table) IN (('spendstream', 'samples')) ORDER BY position"))
	defer rows.Close()
	found := [][2]string{}
	for rows.Next() {
		var column [2]string
		if err := rows.Scan(&column[0], &column[1]); err != nil {
			panic(err)
		}
		found = append(found, column)
	}
	if err := rows.Err(); err != nil {
		panic(err)
	}
	return found
}

func values(row *sql.Row) map[string]any {
	var text string
	var number int64
	var cost decimal.Decimal
	var day, at time.Time
	var tags []string
	var note *string
	if err := row.Scan(&text, &number, &cost, &day, &at, &tags, &note); err != nil {
		panic(err)
	}
	return map[string]any{
		"text": text, "number": fmt.Sprint(number), "cost": cost.String(), "day": day.Format("2006-01-02"),
		"at": at.UTC().Format("2006-01-02 15:04:05.000000"), "tags": tags, "note": note,
	}
}

func page(db *sql.DB) map[string]any {
	rows := must(db.Query("SELECT number, toString(number) FROM numbers(300000)"))
	defer rows.Close()
	count, sum := 0, uint64(0)
	for rows.Next() {
		var number uint64
		var text string
		if err := rows.Scan(&number, &text); err != nil {
			panic(err)
		}
		count, sum = count+1, sum+number
	}
	if err := rows.Err(); err != nil {
		panic(err)
	}
	return map[string]any{"count": count, "sum": fmt.Sprint(sum)}
}

func broken(db *sql.DB) failure {
	rows, err := db.Query("SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000) SETTINGS max_threads = 1")
	if err == nil {
		defer rows.Close()
		for rows.Next() {
		}
		err = rows.Err()
	}
	return described(err)
}

func insert(db *sql.DB, text string, tags []string) error {
	transaction := must(db.Begin())
	batch, err := transaction.Prepare("INSERT INTO samples")
	if err != nil {
		return err
	}
	at := must(time.Parse("2006-01-02 15:04:05.000000", os.Getenv("SAMPLE_AT")))
	day := must(time.Parse("2006-01-02", os.Getenv("SAMPLE_DAY")))
	cost := decimal.RequireFromString(os.Getenv("SAMPLE_COST"))
	if _, err := batch.Exec(uint64(2), text, int64(9007199254740993), cost, day, at, tags, nil); err != nil {
		return err
	}
	return transaction.Commit()
}

func main() {
	writes := os.Getenv("STORE_PASSWORD") != ""
	options := &clickhouse.Options{
		Addr:     []string{os.Getenv("STORE_HOST") + ":" + os.Getenv("STORE_PORT")},
		Protocol: clickhouse.HTTP,
		Auth: clickhouse.Auth{
			Database: "spendstream", Username: os.Getenv("STORE_USER"), Password: os.Getenv("STORE_PASSWORD"),
		},
		// As Grafana's plugin has it over HTTP.
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
		ClientInfo:  clickhouse.ClientInfo{Products: []struct{ Name, Version string }{{"grafana", "12.0.0"}}},
		DialTimeout: 10 * time.Second,
		ReadTimeout: 60 * time.Second,
		Settings:    clickhouse.Settings{},
	}
	db := clickhouse.OpenDB(options)
	defer db.Close()
	deadline, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := db.PingContext(deadline); err != nil {
		panic(err)
	}
	text := os.Getenv("SAMPLE_TEXT")
	tags := []string{text, "plain"}
	asked := db.QueryRowContext(deadline,
		"SELECT {text:String}, {number:Int64}, {cost:Decimal(38, 12)}, {day:Date}, {at:DateTime64(6, 'UTC')}, {tags:Array(String)}, {note:Nullable(String)}",
		clickhouse.Named("text", text), clickhouse.Named("number", os.Getenv("SAMPLE_NUMBER")),
		clickhouse.Named("cost", os.Getenv("SAMPLE_COST")), clickhouse.Named("day", os.Getenv("SAMPLE_DAY")),
		clickhouse.Named("at", os.Getenv("SAMPLE_AT")), clickhouse.Named("tags", tags), clickhouse.Named("note", nil))
	answer := map[string]any{
		"parameters": values(asked),
		"version":    texts(db, "SELECT version()")[0],
		"databases":  texts(db, "SHOW DATABASES"),
		"tables":     texts(db, `SHOW TABLES FROM "spendstream"`),
		"columns":    columns(db),
		"row":        values(db.QueryRow("SELECT text, number, cost, day, at, tags, note FROM samples WHERE id = ? AND text = ?", 1, text)),
		"page":       page(db),
		"broken":     broken(db),
		// What the plugin asks for its editor, and the filters that it adds to a statement.
		"functions": len(texts(db, "SELECT name FROM system.functions LIMIT 10000")) > 1000,
		"filtered":  texts(db, "SELECT toString(count()) FROM samples settings additional_table_filters={'samples' : ' id = \\'7\\' '}"),
		"interval":  texts(db, "SELECT toString(toStartOfInterval(toDateTime(at), INTERVAL 60 second)) FROM samples WHERE at >= fromUnixTimestamp64Milli(0) AND id = 1"),
		"distinct":  texts(db, "SELECT DISTINCT text FROM spendstream.samples WHERE id = 1 SETTINGS max_execution_time=10"),
	}
	_, err := db.Query("SELECT * FROM nothing_here")
	answer["error"] = described(err)
	if err := insert(db, text, tags); writes && err != nil {
		panic(err)
	} else if !writes {
		answer["refused"] = described(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		panic(err)
	}
}
