package client

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Put says how a file or folder is sent.
type Put struct {
	Force   bool     // send what is there with the same content too
	Journal *Journal // remembers unfinished uploads; nil: nothing does
	Meter   *Meter
	Tell    func(Item)   // about each file that is done, from one goroutine at a time; nil: nobody
	Warn    func(string) // nil: nobody
}

// mediumFile is what is sent in one request rather than as an upload that can be taken up.
const mediumFile = 16 << 20

// Send sends the file or folder local so that it stands at to. What is there with
// the same SHA-256 is not sent again; what is different becomes an older version.
// Only regular files and folders are sent. On a failure that is one file's own the others
// are sent all the same.
func (t Tree) Send(ctx context.Context, local, to string, p Put) (Outcome, error) {
	if p.Meter == nil {
		p.Meter = &Meter{}
	}
	if p.Warn == nil {
		p.Warn = func(string) {}
	}
	s := &putting{t: t, p: p, to: to, tally: tally{tell: p.Tell}}
	st, err := os.Stat(local)
	if err != nil {
		return Outcome{}, fileFault(err)
	}
	switch {
	case st.IsDir():
		return s.tally.result(s.folder(ctx, local))
	case !st.Mode().IsRegular():
		return Outcome{}, fault.Errorf(fault.Invalid, "%s is neither a file nor a folder", local)
	}
	return s.tally.result(s.file(ctx, local, st))
}

// putting is one Send.
type putting struct {
	t     Tree
	p     Put
	to    string
	tally tally
	there map[string]api.Entry // on the server, by path below to; of a folder
}

// source is a local file and where it goes.
type source struct {
	local    string
	rel      string // below to; "" for a file that is sent alone
	size     int64
	modified time.Time
}

func (s *putting) path(rel string) string { return strings.Trim(s.to+"/"+rel, "/") }

// file sends a single file.
func (s *putting) file(ctx context.Context, local string, st fs.FileInfo) error {
	s.p.Meter.Total.Add(st.Size())
	s.there = map[string]api.Entry{}
	if s.t.token == "" && !s.p.Force {
		e, err := s.t.Stat(ctx, s.to)
		switch {
		case err == nil && e.Kind == "file":
			s.there[""] = e
		case err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Permission):
			return err // who may only add files asks in vain and goes on
		}
	}
	return s.send(ctx, source{local: local, size: st.Size(), modified: st.ModTime()})
}

// folder sends a folder.
func (s *putting) folder(ctx context.Context, local string) error {
	files, empty, err := s.list(ctx, local)
	if err != nil {
		return err
	}
	if err := s.listThere(ctx); err != nil {
		return err
	}
	for _, rel := range empty {
		if e, ok := s.there[norm.NFC.String(rel)]; ok && e.Kind == "folder" {
			continue
		}
		if s.t.token != "" {
			continue // an upload link takes files
		}
		if _, err := s.t.MakeFolder(ctx, s.path(rel)); err != nil {
			if err := s.tally.failed(ctx, s.path(rel), err); err != nil {
				return err
			}
		}
	}
	return inParallel(ctx, s.jobs(files))
}

// list finds what there is to send. empty are folders with nothing in them, "" for an empty
// folder itself.
func (s *putting) list(ctx context.Context, local string) (files []source, empty []string, _ error) {
	held := map[string]bool{} // folders with something in them
	var folders []string
	err := filepath.WalkDir(local, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fileFault(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(local, p)
		if err != nil {
			return err
		}
		if rel = filepath.ToSlash(rel); rel == "." {
			folders = append(folders, "")
			return nil
		}
		switch {
		case d.IsDir() && strings.HasPrefix(d.Name(), workPrefix):
			return fs.SkipDir
		case d.IsDir():
			folders = append(folders, rel)
		case !d.Type().IsRegular():
			s.p.Warn("left out, since it is no regular file: " + p)
			return nil
		default:
			st, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile
			}
			if err != nil {
				return fileFault(err)
			}
			files = append(files, source{p, rel, st.Size(), st.ModTime()})
			s.p.Meter.Total.Add(st.Size())
		}
		held[strings.TrimPrefix(path.Dir("/"+rel), "/")] = true
		return nil
	})
	for _, f := range folders {
		if !held[f] {
			empty = append(empty, f)
		}
	}
	return files, empty, err
}

// listThere learns what the server has, so that it is not sent again.
func (s *putting) listThere(ctx context.Context) error {
	s.there = map[string]api.Entry{}
	if s.t.token != "" || s.p.Force {
		return nil
	}
	err := s.t.Walk(ctx, s.to, func(e api.Entry) error {
		if rel, ok := below(e.Path, s.to); ok && len(s.there) < maxFiles {
			s.there[rel] = e
		}
		return nil
	})
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Permission) {
		return nil // a new folder, or a drop box
	}
	return err
}

func (s *putting) jobs(files []source) []func(context.Context) error {
	var jobs []func(context.Context) error
	var group []source
	var size int64
	flush := func() {
		if list := group; len(list) > 0 {
			jobs = append(jobs, func(ctx context.Context) error { return s.batch(ctx, list) })
		}
		group, size = nil, 0
	}
	for _, f := range files {
		if f.size > SmallFile || s.t.token != "" {
			jobs = append(jobs, func(ctx context.Context) error {
				if err := s.send(ctx, f); err != nil {
					return s.tally.failed(ctx, f.local, err)
				}
				return nil
			})
			continue
		}
		if len(group) == batchFiles || size+f.size > batchBytes {
			flush()
		}
		group, size = append(group, f), size+f.size
	}
	flush()
	return jobs
}

// has returns the server's entry for rel when it may have the same content.
func (s *putting) has(f source) (api.Entry, bool) {
	e, ok := s.there[norm.NFC.String(f.rel)]
	return e, ok && !s.p.Force && e.Kind == "file" && e.Size == f.size && e.SHA256 != ""
}

func (s *putting) done(f source, sum string, skipped bool) {
	s.p.Meter.Files.Add(1)
	s.tally.done(Item{Path: s.path(f.rel), Size: f.size, SHA256: sum, Skipped: skipped})
}

// send sends one file alone.
func (s *putting) send(ctx context.Context, f source) error {
	file, err := os.Open(f.local)
	if err != nil {
		return fileFault(err)
	}
	defer file.Close()
	seen := func(n int64) { s.p.Meter.Done.Add(n) }
	if e, ok := s.has(f); ok {
		sum, err := sumFile(ctx, io.NewSectionReader(file, 0, f.size), f.size)
		if err != nil {
			return fileFault(err)
		}
		if sum == e.SHA256 {
			seen(f.size)
			s.done(f, sum, true)
			return nil
		}
	}
	u := Upload{Path: s.path(f.rel), Content: file, Size: f.size, Modified: f.modified, Seen: seen}
	sum := ""
	if f.size <= mediumFile && s.t.token == "" {
		var e api.Entry
		e, err = s.t.Put(ctx, u)
		sum = e.SHA256
	} else {
		sum, err = s.upload(ctx, f, u)
	}
	if err != nil {
		return err
	}
	if st, err := file.Stat(); err == nil && (st.Size() != f.size || !st.ModTime().Equal(f.modified)) {
		return fault.Errorf(fault.Changed, "it changed while it was sent")
	}
	s.done(f, sum, false)
	return nil
}

// upload sends a large file, going on with an unfinished upload of the same file to
// the same place.
func (s *putting) upload(ctx context.Context, f source, u Upload) (string, error) {
	local, err := filepath.Abs(f.local)
	if err != nil {
		return "", err
	}
	about := []string{
		s.t.c.URL(), s.t.collection, s.t.token, u.Path, local, number(f.size), f.modified.UTC().Format(time.RFC3339Nano),
	}
	u.ID = s.p.Journal.get(about...)
	u.Began = func(id string) {
		if err := s.p.Journal.set(id, about...); err != nil {
			s.p.Warn("this upload could not be taken up later: " + err.Error())
		}
	}
	return s.t.Upload(ctx, u)
}

// batch sends small files together.
func (s *putting) batch(ctx context.Context, list []source) error {
	send := make([]Small, 0, len(list))
	from := make(map[string]source, len(list)) // by name in the batch
	for _, f := range list {
		data, err := readSmall(f)
		if err != nil {
			if err := s.tally.failed(ctx, f.local, err); err != nil {
				return err
			}
			continue
		}
		f.size = int64(len(data))
		if e, ok := s.has(f); ok && e.SHA256 == sumOf(data) {
			s.p.Meter.Done.Add(f.size)
			s.done(f, e.SHA256, true)
			continue
		}
		from[f.rel] = f
		send = append(send, Small{Path: f.rel, Content: data, Modified: f.modified})
	}
	if len(send) == 0 {
		return ctx.Err()
	}
	results, err := s.t.Batch(ctx, s.to, send)
	if err != nil {
		return err
	}
	sums := make(map[string]string, len(send))
	for i := range send {
		sums[norm.NFC.String(send[i].Path)] = sumOf(send[i].Content)
		if norm.NFC.String(send[i].Path) != send[i].Path {
			from[norm.NFC.String(send[i].Path)] = from[send[i].Path]
		}
	}
	return s.results(ctx, results, from, sums)
}

// results tells what became of the files of a batch.
func (s *putting) results(ctx context.Context, results []api.BatchResult, from map[string]source, sums map[string]string) error {
	for _, r := range results {
		rel := norm.NFC.String(r.Path)
		f, ok := from[rel]
		if !ok {
			return fault.Errorf(fault.Protocol, "the server speaks of %q, which was not sent", r.Path)
		}
		var err error
		switch sum := sums[rel]; {
		case r.Problem != nil:
			p := &Problem{*r.Problem}
			err = fault.Wrap(p.kind(), p)
		case sum == "":
			return fault.Errorf(fault.Protocol, "the server speaks of %q twice", r.Path)
		case r.Entry == nil || r.Entry.SHA256 != sum:
			err = fault.Errorf(fault.Corrupt, "the server has something else than was sent")
		default:
			s.p.Meter.Done.Add(f.size)
			s.done(f, sum, false)
		}
		delete(sums, rel)
		if err != nil {
			if err := s.tally.failed(ctx, f.local, err); err != nil {
				return err
			}
		}
	}
	if len(sums) > 0 {
		return fault.Errorf(fault.Protocol, "the server does not say what became of %d files", len(sums))
	}
	return ctx.Err()
}

// readSmall reads a small file, and no more of it when it has grown.
func readSmall(f source) ([]byte, error) {
	file, err := os.Open(f.local)
	if err != nil {
		return nil, fileFault(err)
	}
	defer file.Close()
	data := make([]byte, f.size+1)
	n, err := io.ReadFull(file, data)
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		if err == nil {
			err = fault.Errorf(fault.Changed, "it changed while it was sent")
		}
		return nil, fileFault(err)
	}
	return data[:n], nil
}
