package main

import "bytes"

// members calls visit with the text of each member of that name, quotes left out and escapes left as they are: good to
// be written into the next request. It is no JSON parser: names are those that the servers write, and no text of ours
// holds one in quotes.
func members(answer []byte, name string, visit func(value []byte)) {
	quoted := []byte(`"` + name + `"`)
	for {
		at := bytes.Index(answer, quoted)
		if at < 0 {
			return
		}
		answer = bytes.TrimLeft(answer[at+len(quoted):], ": \t\r\n")
		if len(answer) == 0 || answer[0] != '"' {
			continue
		}
		end := 1
		for end < len(answer) && answer[end] != '"' {
			if answer[end] == '\\' {
				end++
			}
			end++
		}
		visit(answer[1:min(end, len(answer))])
		answer = answer[min(end+1, len(answer)):]
	}
}

// hasFailures: a batch of which something was refused.
func hasFailures(answer []byte) bool {
	at := bytes.Index(answer, []byte(`"Failed"`))
	if at < 0 {
		return false
	}
	rest := bytes.TrimLeft(answer[at+len(`"Failed"`):], ": \t\r\n[")
	return len(rest) > 0 && rest[0] == '{'
}
