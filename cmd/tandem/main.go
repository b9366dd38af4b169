// Command tandem shares files between machines.
package main

import (
	"context"
	"os"

	"tandem/internal/cli"
)

func main() {
	ctx, stop := cli.Interruptible(context.Background())
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
