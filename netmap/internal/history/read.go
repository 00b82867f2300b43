package history

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/mailru/easyjson/jlexer"
)

// read decodes an answer, and has data decode its data.
func read(body io.Reader, data func(*jlexer.Lexer)) (a answer, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return a, err
	}
	l := &jlexer.Lexer{Data: text}
	object(l, func(key string) {
		switch key {
		case "status":
			a.status = l.String()
		case "error":
			a.failure = l.String()
		case "errorType":
			a.kind = l.String()
		case "warnings":
			a.warnings = texts(l)
		case "isPartial":
			a.partial = l.Bool()
		case "data":
			data(l)
		default:
			l.SkipRecursive()
		}
	})
	err = l.Error()
	var syntax *jlexer.LexerError
	if errors.As(err, &syntax) && l.GetPos() >= len(text) {
		err = io.ErrUnexpectedEOF
	}
	return a, err
}

// rows returns a function that decodes rows one by one. Their labels are parts of the answer, and not to be changed.
func (c *client) rows(each func(row)) func(*jlexer.Lexer) {
	return func(l *jlexer.Lexer) {
		object(l, func(key string) {
			if key != "result" {
				l.SkipRecursive()
				return
			}
			n := 0
			list(l, func() {
				if n++; n > c.maxSeries {
					text := fmt.Sprintf("an answer has more than %d series (max_series)", c.maxSeries)
					l.AddError(&Failure{text: text, Slow: true})
					return
				}
				if r := readRow(l); l.Ok() {
					each(r)
				}
			})
		})
	}
}

func readRow(l *jlexer.Lexer) (r row) {
	object(l, func(key string) {
		switch key {
		case "metric":
			r.labels = readLabels(l)
		case "value":
			r.Value = readSample(l)
		case "values":
			list(l, func() { r.Values = append(r.Values, readSample(l)) })
		default:
			l.SkipRecursive()
		}
	})
	return r
}

// readLabels returns the text of an object of strings. It checks the text in one pass, where Raw takes two.
func readLabels(l *jlexer.Lexer) []byte {
	if l.IsNull() {
		l.Skip()
		return nil
	}
	l.IsDelim('{') // reads the brace
	begin := l.GetPos() - 1
	object(l, func(string) { l.UnsafeString() })
	return l.Data[begin:l.GetPos()]
}

// readSample reads [1435781451.781, "1.5"].
func readSample(l *jlexer.Lexer) (s sample) {
	l.Delim('[')
	s.At = l.Float64()
	l.WantComma()
	value, err := strconv.ParseFloat(l.UnsafeString(), 64)
	if err != nil {
		l.AddError(err)
	}
	s.Value = value
	l.WantComma()
	l.Delim(']')
	return s
}

func texts(l *jlexer.Lexer) (all []string) {
	list(l, func() { all = append(all, l.String()) })
	return all
}

// list calls element before each element of a list, to decode it. It stops at the first error.
func list(l *jlexer.Lexer, element func()) {
	if l.IsNull() {
		l.Skip()
		return
	}
	l.Delim('[')
	for !l.IsDelim(']') {
		element()
		l.WantComma()
	}
	l.Delim(']')
}

// object calls value for each key of an object, to decode its value. It stops at the first error.
func object(l *jlexer.Lexer, value func(key string)) {
	if l.IsNull() {
		l.Skip()
		return
	}
	l.Delim('{')
	for !l.IsDelim('}') {
		key := l.UnsafeFieldName(false)
		l.WantColon()
		value(key)
		l.WantComma()
	}
	l.Delim('}')
}
