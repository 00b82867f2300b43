package history

import (
	"encoding/json"
	"fmt"
	"io"
)

// read decodes an answer, and has data decode its data.
func read(body io.Reader, data func(*json.Decoder) error) (a answer, err error) {
	d := json.NewDecoder(body)
	err = object(d, func(key string) error {
		switch key {
		case "status":
			return d.Decode(&a.status)
		case "error":
			return d.Decode(&a.failure)
		case "errorType":
			return d.Decode(&a.kind)
		case "warnings":
			return d.Decode(&a.warnings)
		case "isPartial":
			return d.Decode(&a.partial)
		case "data":
			return data(d)
		}
		return skip(d)
	})
	return a, err
}

// rows returns a function that decodes rows one by one, so that they never are in memory as a whole.
func (c *client) rows(each func(row)) func(*json.Decoder) error {
	n := 0
	next := func(d *json.Decoder) error {
		if n++; n > c.maxSeries {
			text := fmt.Sprintf("an answer has more than %d series (max_series)", c.maxSeries)
			return &Failure{text: text, Slow: true}
		}
		var r row
		if err := d.Decode(&r); err != nil {
			return err
		}
		each(r)
		return nil
	}
	return func(d *json.Decoder) error {
		return object(d, func(key string) error {
			if key == "result" {
				return list(d, next)
			}
			return skip(d)
		})
	}
}

// list calls element before each element of a list, to decode it.
func list(d *json.Decoder, element func(*json.Decoder) error) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('[') {
		return errForeign
	}
	for d.More() {
		if err := element(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// object calls value for each key of an object, to decode its value.
func object(d *json.Decoder, value func(key string) error) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token == nil {
		return nil // null
	}
	if token != json.Delim('{') {
		return errForeign
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if err := value(key.(string)); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func skip(d *json.Decoder) error {
	var ignored json.RawMessage
	return d.Decode(&ignored)
}
