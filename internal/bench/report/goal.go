package report

// A Goal is a figure that is to be reached. The limit must hold; the aim is better than the limit.
type Goal struct {
	What       string
	Limit, Aim float64
	Unit       string
	Measured   float64
	AtLeast    bool   // more is better
	Remark     string // what else the reader needs to know of the measurement
}

func (g Goal) holds(bound float64) bool {
	if g.AtLeast {
		return g.Measured >= bound
	}
	return g.Measured <= bound
}

// Verdict says whether the goal is reached.
func (g Goal) Verdict() string {
	switch {
	case g.holds(g.Aim):
		return "yes: the aim"
	case g.holds(g.Limit):
		return "yes"
	}
	return "**no**"
}

// GoalTable compares all goals with what was measured.
func GoalTable(goals []Goal) *Table {
	t := &Table{Title: "Against the targets", Head: []string{"figure", "target", "aim", "measured", "reached",
		"remark"}}
	for _, g := range goals {
		sign := "<= "
		if g.AtLeast {
			sign = ">= "
		}
		t.Add(g.What, sign+Figure(g.Limit, g.Unit), sign+Figure(g.Aim, g.Unit), Figure(g.Measured, g.Unit),
			g.Verdict(), g.Remark)
	}
	return t
}
