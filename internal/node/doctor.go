package node

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tandem/internal/catalog"
	"tandem/internal/fault"
)

// Finding is one thing that Doctor looked at.
type Finding struct {
	Check string // what was looked at
	State string // ok, warn or fail
	Text  string // what was found
	Do    string // what to do about it; "": nothing
}

// The states of a Finding.
const (
	FindingOK   = "ok"
	FindingWarn = "warn"
	FindingFail = "fail"
)

// diagnosis collects findings.
type diagnosis struct {
	cfg  ServerConfig
	now  time.Time
	list []Finding
}

func (d *diagnosis) add(check, state, text, do string) {
	d.list = append(d.list, Finding{check, state, text, do})
}

// fail adds an error, if there is one.
func (d *diagnosis) fail(check string, err error, do string) bool {
	if err != nil {
		d.add(check, FindingFail, err.Error(), do)
	}
	return err != nil
}

// Doctor looks for what keeps a server from working, or soon will. It changes nothing, and works beside a running
// server.
func Doctor(ctx context.Context, cfg ServerConfig) []Finding {
	d := &diagnosis{cfg: cfg, now: time.Now()}
	d.certificate()
	path, missing := cfg.Missing()
	if missing {
		d.add("data", FindingFail, path+" is not there", "name the server's folder: --data DIR, or set it up: tandem serve --data DIR")
		return d.list
	}
	d.permissions()
	data, err := OpenData(ctx, cfg.DataConfig)
	if d.fail("data", err, "see that the database and the store run, and that this user may open them") {
		return d.list
	}
	defer data.Close()
	d.database(ctx, data)
	d.content(ctx, data)
	d.server(data)
	return d.list
}

// permissions looks whether others can read what they must not.
func (d *diagnosis) permissions() {
	places := &Data{}
	if d.cfg.place(places) != nil {
		return
	}
	open := ""
	for _, p := range []string{d.cfg.Data, places.SQLite, places.Content, d.cfg.TLSKey} {
		if p == "" || p == d.cfg.Data && places.SQLite == "" && places.Content == "" {
			continue
		}
		if st, err := os.Stat(p); err == nil && st.Mode().Perm()&0o077 != 0 {
			open += " " + p
		}
	}
	if open != "" {
		d.add("permissions", FindingWarn, "others on this machine can open"+open, "chmod -R go="+open)
		return
	}
	d.add("permissions", FindingOK, "nobody else on this machine can open the data", "")
}

func (d *diagnosis) database(ctx context.Context, data *Data) {
	const restore = "restore the last backup into an empty folder: tandem restore --from FOLDER --data DIR"
	if d.fail("database", data.Catalog.Probe(ctx), "see that it runs, has room and accepts writes") {
		return
	}
	found, err := data.Catalog.Check(ctx)
	switch {
	case err != nil:
		d.fail("database", err, restore)
	case len(found) > 0:
		const most = 5
		text := strings.Join(found[:min(len(found), most)], "; ")
		if len(found) > most {
			text += fmt.Sprintf("; and %d more", len(found)-most)
		}
		d.add("database", FindingFail, text, restore)
	default:
		d.add("database", FindingOK, "it answers and agrees with itself", "")
	}
	d.accounts(ctx, data.Catalog)
	d.clock(ctx, data.Catalog)
}

func (d *diagnosis) accounts(ctx context.Context, cat catalog.Catalog) {
	admins := 0
	err := cat.View(ctx, func(tx *catalog.Tx) (err error) {
		admins, err = tx.Accounts.Admins()
		return err
	})
	switch {
	case err != nil:
		d.fail("admins", err, "")
	case admins == 0:
		d.add("admins", FindingWarn, "there is no admin yet", "open the set-up page that tandem serve prints, or: tandem admin init --user NAME --password-file FILE")
	default:
		d.add("admins", FindingOK, fmt.Sprintf("there are %d", admins), "")
	}
}

// clock compares ours with the last entry of the audit log, which cannot be of the future.
func (d *diagnosis) clock(ctx context.Context, cat catalog.Catalog) {
	var last catalog.Entry
	err := cat.View(ctx, func(tx *catalog.Tx) error {
		seq, _, err := tx.Audit.Head()
		if err != nil || seq == 0 { // nothing has happened yet
			return err
		}
		page, err := tx.Audit.Entries(seq-1, catalog.AuditFilter{}, 1)
		if len(page) > 0 {
			last = page[0]
		}
		return err
	})
	switch {
	case err != nil:
		d.fail("clock", err, "")
	case last.Time.After(d.now.Add(5 * time.Minute)):
		d.add("clock", FindingFail, "the last entry of the audit log is of "+last.Time.UTC().Format(time.RFC3339)+", which is in the future",
			"set this machine's clock: links and sessions expire by it")
	default:
		d.add("clock", FindingOK, "it is not behind the audit log", "")
	}
}

func (d *diagnosis) content(ctx context.Context, data *Data) {
	if d.fail("content", data.Blobs.Probe(ctx), "see that the folder or object store is there, has room and accepts writes") {
		return
	}
	d.add("content", FindingOK, "it can be read and written", "")
	free, total, ok := data.Blobs.Space()
	if ok {
		least := min(1<<30, total/20)
		text := fmt.Sprintf("%d MiB of %d MiB are free", free>>20, total>>20)
		switch {
		case free < least:
			d.add("room", FindingFail, text+": uploads are refused", "make room on the device of "+data.Content)
		case free < 4*least:
			d.add("room", FindingWarn, text, "make room before uploads are refused at "+fmt.Sprintf("%d MiB", least>>20))
		default:
			d.add("room", FindingOK, text, "")
		}
	}
	d.stages(ctx, data)
}

// stages looks for uploads that nobody goes on with; the server sweeps them.
func (d *diagnosis) stages(ctx context.Context, data *Data) {
	n, old, size := 0, 0, int64(0)
	for s, err := range data.Blobs.Stages(ctx) {
		if d.fail("unfinished uploads", err, "") {
			return
		}
		n, size = n+1, size+s.Size
		if d.now.Sub(s.Modified) > 8*24*time.Hour {
			old++
		}
	}
	text := fmt.Sprintf("there are %d, of %d MiB", n, size>>20)
	if old > 0 {
		d.add("unfinished uploads", FindingWarn, fmt.Sprintf("%s; %d of them are older than any upload may be", text, old), "let the server run: it sweeps them within an hour")
		return
	}
	d.add("unfinished uploads", FindingOK, text, "")
}

// certificate looks at the TLS files and how long they hold.
func (d *diagnosis) certificate() {
	if d.cfg.TLSCert == "" && d.cfg.TLSKey == "" {
		return
	}
	const renew = "renew it: the server takes over new files by itself"
	if _, err := (&server{cfg: d.cfg}).tls(); d.fail("TLS", err, "see that both files are there, belong together and can be read") {
		return
	}
	text, err := os.ReadFile(d.cfg.TLSCert)
	if d.fail("TLS", err, "") {
		return
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return // LoadX509KeyPair has found one behind other text
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if d.fail("TLS", err, renew) {
		return
	}
	until := cert.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case d.now.After(cert.NotAfter):
		d.add("TLS", FindingFail, "the certificate has expired on "+until, renew)
	case d.now.Before(cert.NotBefore):
		d.add("TLS", FindingFail, "the certificate holds from "+cert.NotBefore.UTC().Format(time.DateOnly)+" on", "set this machine's clock, or get another certificate")
	case cert.NotAfter.Sub(d.now) < 14*24*time.Hour:
		d.add("TLS", FindingWarn, "the certificate expires on "+until, renew)
	default:
		d.add("TLS", FindingOK, "the certificate holds until "+until, "")
	}
}

// server says whether one has the data.
func (d *diagnosis) server(data *Data) {
	if data.SQLite == "" {
		return // any number may run
	}
	l, err := lockFile(data.SQLite + ".lock")
	switch {
	case err == nil:
		_ = l.Close()
		d.add("server", FindingOK, "none runs on "+filepath.Dir(data.SQLite), "")
	case errors.Is(err, fault.Busy):
		d.add("server", FindingOK, "it runs", "")
	default:
		d.fail("server", err, "")
	}
}
