// Builds kustomizations and checks what comes out as an API server would: unknown and duplicate fields are errors, pods must pass
// the "restricted" level of Pod Security, and each selector must select a pod. Files are compose files, checked as `docker compose
// config` does. Needs no cluster, no engine and no network.
//
//	manifests PATH…    prints each manifest or service by kind and name; exit status 1 with all problems on standard error
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		check := checkKustomization
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			check = checkCompose
		}
		for _, problem := range check(path) {
			fmt.Fprintf(os.Stderr, "%s: %s\n", path, problem)
			failed = true
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

func checkKustomization(directory string) (problems []string) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return []string{err.Error()}
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return []string{err.Error()}
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var pods []labels.Set
	selectors := map[string]*metav1.LabelSelector{}
	for _, resource := range resources.Resources() {
		name := resource.GetKind() + " " + resource.GetName()
		fmt.Println(name)
		object, _, err := decoder.Decode([]byte(resource.MustYaml()), nil, nil)
		if err != nil {
			problems = append(problems, name+": "+err.Error())
			continue
		}
		switch typed := object.(type) {
		case *appsv1.Deployment:
			template := typed.Spec.Template
			for _, reason := range insecure(&template.ObjectMeta, &template.Spec) {
				problems = append(problems, name+": "+reason)
			}
			pods = append(pods, template.Labels)
			selectors[name] = typed.Spec.Selector
		case *networkingv1.NetworkPolicy:
			selectors[name] = &typed.Spec.PodSelector
		case *policyv1.PodDisruptionBudget:
			selectors[name] = typed.Spec.Selector
		}
	}
	for name, selector := range selectors {
		if !selectsAny(selector, pods) {
			problems = append(problems, name+": its selector selects no pod of these manifests")
		}
	}
	return problems
}

func checkCompose(path string) []string {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv, cli.WithName("checked"))
	if err != nil {
		return []string{err.Error()}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return []string{err.Error()}
	}
	for _, name := range project.ServiceNames() {
		fmt.Println("service " + name)
	}
	return nil
}

func selectsAny(selector *metav1.LabelSelector, pods []labels.Set) bool {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && slices.ContainsFunc(pods, func(pod labels.Set) bool { return compiled.Matches(pod) })
}

func insecure(meta *metav1.ObjectMeta, spec *corev1.PodSpec) (reasons []string) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, meta, spec) {
		if !result.Allowed {
			reasons = append(reasons, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return reasons
}
