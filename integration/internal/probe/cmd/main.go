// The program that tests put into their images: it prints the state of its
// process, and of the places that its arguments name, as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/ctr-rootfs/ctr-rootfs/integration/internal/probe"
)

func main() {
	state, err := probe.Read(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(state)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
