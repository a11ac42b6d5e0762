package export

// linkTable settles hard links: of all names of an inode, the first that is
// kept carries the body and the later ones link to it. It sits behind every
// decorator, so a name that a filter dropped or a file replaced is never a
// link's target, and the targets have their prefix.
type linkTable map[LinkKey]string

// settle gives the earlier name of e's inode, or "" where e is the first.
func (t linkTable) settle(e *Entry) string {
	if e.Link == (LinkKey{}) || e.Type == Directory {
		return ""
	}
	first, seen := t[e.Link]
	if !seen {
		t[e.Link] = e.Path
	}
	return first
}
