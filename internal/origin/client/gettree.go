package client

import (
	"context"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"tandem/internal/fault"
	"tandem/internal/origin/api"
)

// Get says how a file or folder is fetched.
type Get struct {
	Dir     string // made if absent
	Name    string // in Dir, instead of the entry's own; "": that
	Version int64  // of a file; 0: the current one
	Force   bool   // replace what is different
	Once    bool   // a folder in one request, since each is counted
	Meter   *Meter
	Tell    func(Item)   // about each file that is done, from one goroutine at a time; nil: nobody
	Warn    func(string) // nil: nobody
}

// maxFiles bounds the listing of a folder in memory.
const maxFiles = 2_000_000

// Get fetches what stands at path into g.Dir. Files that are there with the same
// content stay; everything is checked; no wrong file ever has its final name. On a
// failure that is one file's own the others are fetched all the same.
func (t Tree) Get(ctx context.Context, at api.Entry, g Get) (Outcome, error) {
	if g.Meter == nil {
		g.Meter = &Meter{}
	}
	if g.Warn == nil {
		g.Warn = func(string) {}
	}
	if g.Name == "" {
		g.Name = at.Name
	}
	if err := checkName(g.Name); err != nil {
		return Outcome{}, err
	}
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		return Outcome{}, fileFault(err)
	}
	root, err := os.OpenRoot(g.Dir)
	if err != nil {
		return Outcome{}, fileFault(err)
	}
	defer root.Close()
	f := &fetching{t: t, g: g, root: root, at: at, suffix: ".part", tally: tally{tell: g.Tell}}
	if at.Kind != "folder" {
		g.Meter.Total.Add(at.Size)
		return f.tally.result(f.single(ctx, wanted{entry: at, name: g.Name}))
	}
	return f.tally.result(f.folder(ctx))
}

// fetching is one Get.
type fetching struct {
	t      Tree
	g      Get
	at     api.Entry
	root   *os.Root
	suffix string
	tally  tally
	work   string   // folder for small files on their way
	settle *settler // puts them in place
}

// wanted is a file and its place below root.
type wanted struct {
	entry api.Entry
	name  string
}

func (f *fetching) folder(ctx context.Context) error {
	files, folders, err := f.list(ctx)
	if err != nil {
		return err
	}
	for _, name := range folders {
		if err := f.root.MkdirAll(name, 0o755); err != nil {
			return fileFault(err)
		}
	}
	f.suffix = freeSuffix(files)
	clearWork(f.root, f.t.c.cfg.Now())
	f.work = workPrefix + strconv.FormatInt(int64(os.Getpid()), 10)
	if err := f.root.MkdirAll(f.work, 0o700); err != nil {
		return fileFault(err)
	}
	defer f.root.RemoveAll(f.work)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if f.settle, err = newSettler(f, cancel); err != nil {
		return err
	}
	if f.g.Once {
		err = f.archive(ctx, files)
	} else {
		err = inParallel(ctx, f.jobs(files))
	}
	if serr := f.settle.end(); serr != nil {
		err = serr
	}
	if serr := syncNames(f.root, files); err == nil {
		err = serr
	}
	return err
}

// list reads the whole folder first: what comes is known, and its names are checked.
func (f *fetching) list(ctx context.Context) (files []wanted, folders []string, _ error) {
	seen := map[string]bool{}
	folders = []string{f.g.Name}
	p := f.t.c.patience()
	for {
		err := f.t.Walk(ctx, f.at.Path, func(e api.Entry) error {
			rel, ok := below(e.Path, f.at.Path)
			if !ok || seen[rel] {
				return fault.Errorf(fault.Protocol, "the server's listing has %q twice, or where it does not belong", e.Path)
			}
			name := f.g.Name + "/" + rel
			if err := checkName(name); err != nil {
				return err
			}
			if seen[rel] = true; len(seen) > maxFiles {
				return fault.Errorf(fault.Invalid, "more than %d files and folders", maxFiles)
			}
			if e.Kind == "folder" {
				folders = append(folders, name)
				return nil
			}
			files = append(files, wanted{e, name})
			if dir := path.Dir(name); dir != folders[len(folders)-1] {
				folders = append(folders, dir) // should the listing lack it
			}
			f.g.Meter.Total.Add(e.Size)
			return nil
		})
		if err == nil {
			return files, folders, nil
		}
		if err := p.again(ctx, err); err != nil {
			return nil, nil, err
		}
		clear(seen)
		files, folders = nil, []string{f.g.Name}
		f.g.Meter.Total.Store(0)
	}
}

// below returns p's path from base.
func below(p, base string) (string, bool) {
	if base == "" {
		return p, p != ""
	}
	rel, ok := strings.CutPrefix(p, base+"/")
	return rel, ok && rel != ""
}

// freeSuffix returns one for parts that no wanted file's name has.
func freeSuffix(files []wanted) string {
	for n := 1; ; n++ {
		suffix := ".part"
		if n > 1 {
			suffix = ".part" + strconv.Itoa(n)
		}
		taken := false
		for i := range files {
			name := files[i].name
			taken = taken || strings.HasSuffix(name, suffix) || strings.HasSuffix(name, suffix+".json")
		}
		if !taken {
			return suffix
		}
	}
}

// workPrefix begins the name of a folder for small files on their way.
const workPrefix = ".tandem-get-"

// clearWork removes what gets that were killed have left, once that is a day old.
func clearWork(root *os.Root, now time.Time) {
	d, err := root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	list, _ := d.ReadDir(-1)
	for _, e := range list {
		if st, err := e.Info(); strings.HasPrefix(e.Name(), workPrefix) && e.IsDir() && err == nil && now.Sub(st.ModTime()) > 24*time.Hour {
			_ = root.RemoveAll(e.Name())
		}
	}
}

// jobs groups small files; the others go alone.
func (f *fetching) jobs(files []wanted) []func(context.Context) error {
	var jobs []func(context.Context) error
	var group []wanted
	var size int64
	flush := func() {
		if list := group; len(list) > 0 {
			jobs = append(jobs, func(ctx context.Context) error { return f.group(ctx, list) })
		}
		group, size = nil, 0
	}
	for _, w := range files {
		if w.entry.Size > SmallFile {
			jobs = append(jobs, func(ctx context.Context) error { return f.alone(ctx, w) })
			continue
		}
		if len(group) == batchFiles || size+w.entry.Size > batchBytes {
			flush()
		}
		group, size = append(group, w), size+w.entry.Size
	}
	flush()
	return jobs
}

// alone fetches one file of a folder.
func (f *fetching) alone(ctx context.Context, w wanted) error {
	err := f.single(ctx, w)
	if err != nil {
		return f.tally.failed(ctx, w.entry.Path, err)
	}
	return nil
}

// single fetches one file.
func (f *fetching) single(ctx context.Context, w wanted) error {
	if ok, err := f.there(ctx, w); ok || err != nil {
		return err
	}
	e := w.entry
	err := f.t.Download(ctx, Download{
		Path: e.Path, Version: f.g.Version, Size: e.Size, SHA256: e.SHA256, Modified: e.Modified,
		Root: f.root, Name: w.name, Suffix: f.suffix, Force: f.g.Force,
		Seen: func(n int64) { f.g.Meter.Done.Add(n) },
	})
	if err == nil {
		f.done(w, false)
	}
	return err
}

func (f *fetching) done(w wanted, skipped bool) {
	f.g.Meter.Files.Add(1)
	f.tally.done(Item{Path: w.entry.Path, Size: w.entry.Size, SHA256: w.entry.SHA256, Skipped: skipped})
}

// there reports whether the file stands where it should already.
func (f *fetching) there(ctx context.Context, w wanted) (bool, error) {
	found, err := compare(f.root, w.name, w.entry.Size, w.entry.SHA256, func(r io.Reader) (string, error) {
		return sumFile(ctx, r, w.entry.Size)
	})
	switch {
	case err != nil:
		return false, err
	case found == same:
		f.g.Meter.Done.Add(w.entry.Size)
		f.done(w, true)
		return true, nil
	case found == different && !f.g.Force:
		return false, errDifferent(w.name)
	}
	return false, nil
}

// group fetches small files in one go.
func (f *fetching) group(ctx context.Context, list []wanted) error {
	missing := make(map[string]wanted, len(list)) // by path below the tree's place
	paths := make([]string, 0, len(list))
	for _, w := range list {
		ok, err := f.there(ctx, w)
		if err != nil {
			if err := f.tally.failed(ctx, w.entry.Path, err); err != nil {
				return err
			}
			continue
		}
		rel, _ := below(w.entry.Path, f.at.Path)
		if !ok {
			missing[rel] = w
			paths = append(paths, rel)
		}
	}
	for p := f.t.c.patience(); len(paths) > 0; {
		got, err := f.some(ctx, paths, missing)
		if got > 0 {
			p.progress()
		}
		if err == nil {
			break
		}
		if err := p.again(ctx, err); err != nil {
			return err
		}
		left := paths[:0]
		for _, rel := range paths {
			if _, ok := missing[rel]; ok {
				left = append(left, rel)
			}
		}
		paths = left
	}
	for _, w := range missing { // changed since they were listed, or gone
		if err := f.alone(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// some fetches paths, has those that are right put in place and takes them out of missing.
func (f *fetching) some(ctx context.Context, paths []string, missing map[string]wanted) (got int, _ error) {
	var ready []small
	err := f.t.Fetch(ctx, f.at.Path, paths, func(s Small) error {
		w, ok := missing[s.Path]
		if !ok {
			return nil
		}
		sum := sumOf(s.Content)
		if sum != w.entry.SHA256 {
			return nil // it goes alone
		}
		from := f.work + "/" + strconv.FormatInt(w.entry.ID, 36) + "-" + sum[:16]
		if err := f.writeSmall(from, s.Content); err != nil {
			return err
		}
		delete(missing, s.Path)
		ready = append(ready, small{w, from})
		f.g.Meter.Done.Add(int64(len(s.Content)))
		return nil
	})
	if serr := f.settle.take(ctx, ready); serr != nil {
		return 0, serr
	}
	return len(ready), err
}

func (f *fetching) writeSmall(name string, content []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fileFault(err)
	}
	if _, err = file.Write(content); err == nil {
		err = syncEarly(file)
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return fileFault(err)
}
