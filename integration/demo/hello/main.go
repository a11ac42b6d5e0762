// Command hello is the one program of the demo's and the tests' images: it
// prints its arguments, and what its container made of it.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
	fmt.Println(strings.Join(os.Args[1:], " "))
	fmt.Printf("user %d:%d, directory %s, pid %d\n", os.Getuid(), os.Getgid(), dir, os.Getpid())
}
