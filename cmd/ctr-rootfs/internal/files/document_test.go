package files

import (
	"testing"
)

func TestDocumentIsBounded(t *testing.T) {
	if data, err := Document(t.Context(), "/dev/zero"); err == nil {
		t.Errorf("Document gave %d bytes of a device without an end", len(data))
	}
}
