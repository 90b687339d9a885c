// Command validate runs Istio's own validation over YAML files and prints, per document, the errors and warnings that
// istiod's webhook would give: one JSON object a line.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-multierror"
	"k8s.io/apimachinery/pkg/util/yaml"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
)

type answer struct {
	// Why the object could not be read at all.
	Decode string `json:"decode,omitempty"`
	// The webhook's text after "configuration is invalid: ".
	Text     string   `json:"text"`
	Errors   []string `json:"errors"`
	Warnings []string `json:"warnings"`
}

func list(err error) []string {
	out := []string{}
	if err == nil {
		return out
	}
	if many, ok := err.(*multierror.Error); ok {
		for _, e := range many.Errors {
			out = append(out, e.Error())
		}
		return out
	}
	return append(out, err.Error())
}

func judge(raw []byte) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a.Decode = fmt.Sprintf("panic: %v", r)
		}
	}()
	a.Errors, a.Warnings = []string{}, []string{}
	var obj crd.IstioKind
	if err := json.Unmarshal(raw, &obj); err != nil {
		a.Decode = fmt.Sprintf("cannot decode configuration: %v", err)
		return a
	}
	gvk := obj.GroupVersionKind()
	s, found := collections.PilotGatewayAPI().FindByGroupKind(resource.FromKubernetesGVK(&gvk))
	if !found {
		s, found = collections.Pilot.FindByGroupKind(resource.FromKubernetesGVK(&gvk))
	}
	if !found {
		a.Decode = fmt.Sprintf("unrecognized type %v", gvk)
		return a
	}
	out, err := crd.ConvertObject(s, &obj, "cluster.local")
	if err != nil {
		a.Decode = fmt.Sprintf("error decoding configuration: %v", err)
		return a
	}
	warnings, err := s.ValidateConfig(*out)
	if err != nil {
		a.Text = err.Error()
	}
	a.Errors, a.Warnings = list(err), list(warnings)
	return a
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	for _, name := range os.Args[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			doc, err := reader.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, name, err)
				os.Exit(2)
			}
			raw, err := yaml.ToJSON(doc)
			if err != nil {
				fmt.Fprintln(os.Stderr, name, err)
				os.Exit(2)
			}
			if !bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
				_ = encoder.Encode(judge(raw))
			}
		}
	}
}
