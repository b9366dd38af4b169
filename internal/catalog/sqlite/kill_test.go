package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/catalog"
	"tandem/internal/catalog/sqlite"
)

// victimEnv makes the test binary the process that is killed.
const victimEnv = "TANDEM_TEST_VICTIM"

func TestMain(m *testing.M) {
	if path := os.Getenv(victimEnv); path != "" {
		fmt.Println(victim(path))
		return
	}
	goleak.VerifyTestMain(m)
}

// victim updates the catalog at path from several goroutines until it is
// killed, and says which Updates were answered.
func victim(path string) error {
	ctx := context.Background()
	c, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	var print sync.Mutex
	failed := make(chan error)
	for worker := range 4 {
		go func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("user %d of %d in %d", n, worker, os.Getpid())
				if err := c.Update(ctx, pair(name)); err != nil {
					failed <- err
					return
				}
				print.Lock()
				fmt.Println("did", name)
				print.Unlock()
			}
		}()
	}
	return <-failed
}

// pair makes two things that never may be one without the other.
func pair(name string) func(tx *catalog.Tx) error {
	return func(tx *catalog.Tx) error {
		_, err := tx.Accounts.CreateUser(catalog.User{Name: name})
		return errors.Join(err,
			tx.Settings.Set(name, strings.Repeat("x", 2000)),
			tx.Audit.Append(catalog.Entry{Action: "create", Object: name}))
	}
}

func TestWhatWasAnsweredOutlivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	var did []string
	for round := range 4 {
		did = append(did, killed(t, path, 20+40*round)...)
	}
	c := openAt(t, path)
	if found, err := c.Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("Check: %q, %v", found, err)
	}
	err := c.View(t.Context(), func(tx *catalog.Tx) error {
		for _, name := range did {
			if _, err := tx.Accounts.UserByName(name); err != nil {
				t.Errorf("answered and lost: %v", err)
			}
		}
		users, err := tx.Accounts.Users("", 1<<20)
		if err != nil {
			return err
		}
		for _, u := range users {
			if _, err := tx.Settings.Get(u.Name); err != nil {
				t.Errorf("half an Update: %v", err)
			}
		}
		seq, _, err := tx.Audit.Head()
		if int(seq) != len(users) {
			t.Errorf("%d audit entries for %d users", seq, len(users))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// killed runs a victim, kills it after so many answers and returns them.
func killed(t *testing.T, path string, answers int) (did []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		name, ok := strings.CutPrefix(lines.Text(), "did ")
		if !ok {
			t.Fatalf("the victim said: %s", lines.Text())
		}
		did = append(did, name)
		if len(did) == answers {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	if len(did) < answers {
		t.Fatalf("%d answers of %d", len(did), answers)
	}
	return did
}
