// Reads a Grafana dashboard strictly: a field that Grafana's own types do not have is an error.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// Without these, options of panels and queries would be taken as they are. Only those that the
	// dashboard has: all of them take a minute to compile.
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(table.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	read := dashboard.Dashboard{}
	if err := fault(read.UnmarshalJSONStrict(text)); err != nil {
		return err
	}
	return fault(read.Validate())
}

// A list of faults that is empty is none.
func fault(err error) error {
	if err == nil || err.Error() == "" {
		return nil
	}
	return err
}
