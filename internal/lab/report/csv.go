package report

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"
	"strings"
	"time"

	"tandem/internal/lab"
)

// resultsCSV is one line per run. Times are seconds, sizes bytes; what is not known is
// empty.
func resultsCSV(c *lab.Comparison) []byte {
	rows := [][]string{strings.Fields(`world model purpose label vary repeat seed n done last_s median_s p99_s mean_s first_s took_s
		from_origin from_peers wasted corrupt accepted unasked one_out_s jain gini bound_s bound_name
		shaping busy calibrated origin_cpu_s peer_cpu_s origin_rss peer_rss void incomplete notes`)}
	for _, r := range c.Results {
		row := []string{
			string(r.Run.Place), string(r.Run.Model), string(r.Run.Purpose), r.Run.Label, decimal(r.Run.Vary),
			strconv.Itoa(r.Run.Repeat), strconv.FormatUint(r.Run.Seed, 10), strconv.Itoa(r.N), strconv.Itoa(r.Done),
			inSeconds(r.Last), inSeconds(r.Median), inSeconds(r.P99), inSeconds(r.Mean), inSeconds(r.First), inSeconds(r.Took),
			whole(r.FromOrigin), whole(r.FromPeers), whole(r.Wasted), whole(r.Corrupt), whole(r.Accepted), whole(r.Unasked),
			inSeconds(r.OneOut), decimal(r.Jain), decimal(r.Gini),
		}
		if b := r.Bound; b != nil {
			row = append(row, inSeconds(b.Last), b.Name)
		} else {
			row = append(row, "", "")
		}
		if u := r.Use; u != nil {
			row = append(row, u.Shaping, decimal(u.Busy), decimal(u.Calibrated), decimal(u.OriginCPU), decimal(u.PeerCPU), whole(u.OriginRSS), whole(u.PeerRSS))
		} else {
			row = append(row, "", "", "", "", "", "", "")
		}
		rows = append(rows, append(row, r.Void, r.Incomplete, strings.Join(r.Notes, "; ")))
	}
	return comma(rows)
}

// tableCSV is one line per figure of the table.
func tableCSV(c *lab.Comparison) []byte {
	rows := [][]string{{"row", "model", "label", "value", "unit", "spread", "runs", "tag", "best", "text"}}
	for _, r := range c.Table.Rows {
		for _, m := range c.Table.Models {
			for _, f := range r.Cells[m] {
				rows = append(rows, []string{
					r.Name, string(m), f.Label, decimal(f.Value), f.Unit, decimal(f.Spread), strconv.Itoa(f.Runs),
					string(f.Tag), strconv.FormatBool(f.Best), f.Text,
				})
			}
		}
	}
	return comma(rows)
}

func comma(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = inert(cell)
		}
		_ = w.Write(row) // a Buffer takes everything
	}
	w.Flush()
	return out.Bytes()
}

// inert keeps a spreadsheet from taking foreign text for a formula.
func inert(cell string) string {
	cell = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' {
			return -1
		}
		return r
	}, cell)
	if cell == "" || !strings.ContainsRune("=+-@", rune(cell[0])) {
		return cell
	}
	if _, err := strconv.ParseFloat(cell, 64); err == nil {
		return cell
	}
	return "'" + cell
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

// decimal writes a figure, empty where there is no end to it.
func decimal(v float64) string {
	if math.Abs(v) == math.MaxFloat64 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// inSeconds writes a time, empty for never.
func inSeconds(d time.Duration) string {
	if d == never {
		return ""
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}
