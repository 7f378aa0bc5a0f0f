#!/usr/bin/env bash
# The Kubernetes manifests and the Containerfile, which nothing here can run: they are well formed, their parts fit together, the programs
# know the options they are given, and the image has every library.
. "$(dirname "$0")/lib.sh"
launch=$ROOT/scripts/launch
if python3 -c 'import yaml' 2>/dev/null; then
    cat >check.py <<'PYTHON'
import subprocess, sys, yaml
kinds = []
for path in sys.argv[1:]:
    with open(path) as file:
        for part in yaml.safe_load_all(file):
            kinds.append(part["kind"])
            assert part["apiVersion"] and part["metadata"]["name"], path
            if part["kind"] == "Service":
                continue
            spec = part["spec"]
            pod = spec["template"]["spec"]
            labels = spec["template"]["metadata"]["labels"]
            assert spec["selector"]["matchLabels"].items() <= labels.items(), path
            volumes = {v["name"] for v in pod.get("volumes", [])}
            volumes |= {v["metadata"]["name"] for v in spec.get("volumeClaimTemplates", [])}
            assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False, path
            for container in pod.get("initContainers", []) + pod["containers"]:
                closed = container["securityContext"]
                assert closed["readOnlyRootFilesystem"] and closed["capabilities"] == {"drop": ["ALL"]}, path
                assert not closed["allowPrivilegeEscalation"], path
                assert {m["name"] for m in container["volumeMounts"]} <= volumes, path
            for container in pod["containers"]:
                program = container["command"][0]
                help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
                for option in (a for a in container["args"] if a.startswith("--")):
                    assert option in help_text, f"{program} does not know {option}"
assert sorted(kinds) == ["Deployment", "Service", "StatefulSet"], kinds
PYTHON
    name=the_manifests_are_well_formed_and_their_parts_fit
    python3 check.py "$launch"/kubernetes/*.yaml >check.out 2>&1 && pass $name || fail $name 'they do not' check.out
else
    skipped manifests 'needs python3-yaml'
fi

# Each library that a program names belongs to a package that the second stage installs, or that is in any Debian.
name=the_image_has_every_library
sed -n '/^FROM/h;/^FROM/!H;${x;p}' "$launch/Containerfile" | tr -s ' \\\n' '\n' >image.words
missing=
for program in actsearch actsearchd actsearch-worker; do
    for library in $(objdump -p "$BUILD/$program" | awk '/NEEDED/ {print $2}'); do
        file=$(ldd "$BUILD/$program" | awk -v name="$library" '$1 == name {print $3}')
        case $library in ld-linux* | libc.so* | libm.so* | libpthread.so*) continue ;; esac
        found=
        for package in $(dpkg-query -S "*/$library" "$(readlink -f "$file")" 2>/dev/null | grep -v '^diversion' | sed 's/:.*//' | sort -u); do
            grep -qx "$package" image.words && found=yes
        done
        [ -n "$found" ] || missing="$missing $library"
    done
done
[ -z "$missing" ] && pass $name || fail $name "not$missing"
name=the_image_is_built_from_every_package_that_a_build_needs
missing=
for package in $(sed -n '/^packages="/,/"$/p' "$ROOT/scripts/setup" | tr -d '"' | sed 's/^packages=//'); do
    case $package in libcmocka-dev | sqlite3 | curl | dataset-* | gnuplot-nox | iproute2 | procps) continue ;; esac # for tests and pictures
    grep -qw -- "$package" "$launch/Containerfile" || missing="$missing $package"
done
[ -z "$missing" ] && pass $name || fail $name "not$missing"
