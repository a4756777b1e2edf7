{{- define "pixelcost.labels" -}}
app: {{ .app | quote }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: pixelcost
{{- end }}

{{- /* labels of a pod: none that an upgrade of the chart changes, as it would start every server anew */ -}}
{{- define "pixelcost.podLabels" -}}
{{ include "pixelcost.labels" . }}
app.kubernetes.io/name: pixelcost
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}

{{- /* labels of every other object */ -}}
{{- define "pixelcost.objectLabels" -}}
{{ include "pixelcost.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{- /* repository:tag or repository@digest; an empty tag is the chart's appVersion */ -}}
{{- define "pixelcost.image" -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}
{{- else }}{{ .image.repository }}:{{ .image.tag | default .appVersion }}
{{- end }}
{{- end }}

{{- /* a value as quoted text; Helm's numbers are floats, whose usual text from a million on is 1e+06 */ -}}
{{- define "pixelcost.text" -}}
{{ ternary (toJson .) (toString .) (kindIs "float64" .) | quote }}
{{- end }}

{{- define "pixelcost.podSecurity" -}}
runAsNonRoot: true
{{- range $key, $id := .Values.podSecurityContext }}
{{- if not (kindIs "invalid" $id) }}
{{ $key }}: {{ int64 $id }}
{{- end }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "pixelcost.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* what a part's `pod` says, and what every pod of the release has */ -}}
{{- define "pixelcost.podSettings" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .root.Values.serviceAccount }}
{{- if or .create .name }}
serviceAccountName: {{ .name | default "pixelcost" | quote }}
{{- end }}
{{- end }}
{{- $pod := .pod }}
{{- range $key := list "affinity" "priorityClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig" }}
{{- with get $pod $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* extra init containers, which are hardened like the others unless they say otherwise */ -}}
{{- define "pixelcost.extraInitContainers" -}}
{{- $security := dict "securityContext" (include "pixelcost.containerSecurity" .root | fromYaml) }}
{{- range .pod.extraInitContainers }}
- {{ merge (deepCopy .) $security | toJson }}
{{- end }}
{{- end }}

{{- /* `pod` of a backend over that of `serving`: maps are merged, a list that is not empty replaces the other */ -}}
{{- define "pixelcost.serverPod" -}}
{{- merge (deepCopy (.backend.pod | default dict)) .root.Values.serving.pod | toJson }}
{{- end }}

{{- /* a number of CPUs as Kubernetes writes it: 4, or 200m */ -}}
{{- define "pixelcost.cpu" -}}
{{- $milli := round (mulf . 1000) 0 | int64 }}
{{- if mod $milli 1000 }}{{ $milli }}m{{ else }}{{ div $milli 1000 }}{{ end }}
{{- end }}

{{- /* yes for a backend that only serves, on less than cores of its own: its figures would be false */ -}}
{{- define "pixelcost.onlyServes" -}}
{{- if eq (toString .measure) "false" }}yes{{ end }}
{{- end }}

{{- /* yes for a backend that answers over REST too */ -}}
{{- define "pixelcost.hasRest" -}}
{{- if ne (toString .rest) "false" }}yes{{ end }}
{{- end }}

{{- /* name:host:port entries of TF_SERVERS, in the order of the values; those of others last */ -}}
{{- define "pixelcost.servers" -}}
{{- $entries := list }}
{{- range .Values.backends }}
{{- if not (include "pixelcost.onlyServes" .) }}
{{- $options := ternary (list "rest=8501") list (not (not (include "pixelcost.hasRest" .))) }}
{{- with .pricePerHour }}{{ $options = append $options (printf "price_per_hour=%s" (toJson .)) }}{{ end }}
{{- $entries = append $entries (printf "%s:%s:8500%s" .name .service (include "pixelcost.query" $options)) }}
{{- end }}
{{- end }}
{{- range .Values.externalBackends }}
{{- $options := list }}
{{- with .rest }}{{ $options = append $options (printf "rest=%d" (int .)) }}{{ end }}
{{- range $key, $value := pick . "model" "signature" "input" }}
{{- $options = append $options (printf "%s=%s" $key (urlquery $value)) }}
{{- end }}
{{- with .pricePerHour }}{{ $options = append $options (printf "price_per_hour=%s" (toJson .)) }}{{ end }}
{{- $entries = append $entries (printf "%s:%s%s" .name .address (include "pixelcost.query" $options)) }}
{{- end }}
{{- join ";" $entries }}
{{- end }}

{{- define "pixelcost.query" -}}
{{- if . }}?{{ join "&" . }}{{ end }}
{{- end }}

{{- define "pixelcost.usesModelConfig" -}}
{{- if or .Values.model.versions .Values.model.labels }}yes{{ end }}
{{- end }}

{{- define "pixelcost.usesConfig" -}}
{{- if or (include "pixelcost.usesModelConfig" .) .Values.model.batching.enabled .Values.monitoring.enabled }}yes{{ end }}
{{- end }}

{{- /* environment of the page's own that values leave open; behind a front that nobody can go around, its word counts */ -}}
{{- define "pixelcost.trustsFront" -}}
{{- $front := or .Values.ingress.enabled .Values.gateway.enabled }}
{{- if and $front (eq .Values.web.service.type "ClusterIP") (not (hasKey .Values.web.env "PIXELCOST_TRUST_PROXY")) }}yes{{ end }}
{{- end }}

{{- /* address to listen on: "::" takes IPv4 too, but not every node has IPv6 */ -}}
{{- define "pixelcost.listen" -}}
{{ ternary "::" "0.0.0.0" (has "IPv6" .Values.ip.families) }}
{{- end }}

{{- define "pixelcost.ipFamilies" -}}
{{- with .Values.ip.familyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .Values.ip.families }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- end }}

{{- /* the pods of gateways are taken to be in their gateways' namespaces, and in ours to carry the gateway's name, as Gateway
       API has it; peers as JSON */ -}}
{{- define "pixelcost.gatewayPeers" -}}
{{- $peers := list }}
{{- range .parentRefs }}
{{- if .namespace }}
{{- $peers = append $peers (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" .namespace))) }}
{{- else }}
{{- $peers = append $peers (dict "podSelector" (dict "matchLabels" (dict "gateway.networking.k8s.io/gateway-name" .name))) }}
{{- end }}
{{- end }}
{{- .from | default ($peers | uniq) | toJson }}
{{- end }}

{{- /* predictions and status, never a reload from outside */ -}}
{{- define "pixelcost.grpcMatches" -}}
- method: {service: tensorflow.serving.PredictionService}
- method: {service: tensorflow.serving.ModelService, method: GetModelStatus}
{{- end }}

{{- /* peers of a server that others run, from its host where that says it; JSON, [] if it does not */ -}}
{{- define "pixelcost.externalPeers" -}}
{{- $host := regexReplaceAll ":[0-9]+$" .address "" | trimAll "[]" }}
{{- $named := regexFind "^[^.]+\\.[^.]+\\.svc(\\..*)?$" $host }}
{{- if .to }}{{ toJson .to }}
{{- else if regexMatch "^[0-9.]+$" $host }}{{ list (dict "ipBlock" (dict "cidr" (printf "%s/32" $host))) | toJson }}
{{- else if contains ":" $host }}{{ list (dict "ipBlock" (dict "cidr" (printf "%s/128" $host))) | toJson }}
{{- else if $named }}{{ list (dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" (index (splitList "." $host) 1)))) | toJson }}
{{- else if not (contains "." $host) }}{{ list (dict "podSelector" dict) | toJson }}
{{- else }}[]
{{- end }}
{{- end }}

{{- /* "yes" if peers hold a block of addresses, which a Service with the policy Cluster hides */ -}}
{{- define "pixelcost.addresses" -}}
{{- range . }}{{ if hasKey . "ipBlock" }}yes{{ end }}{{ end }}
{{- end }}

{{- define "pixelcost.dnsRule" -}}
- to:  # names: the cluster's DNS, and the address of NodeLocal DNSCache
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .namespace | quote }}}
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{- /* four intervals of Prometheus, two minutes at least, in seconds */ -}}
{{- define "pixelcost.rateWindow" -}}
{{- $interval := .Values.monitoring.interval }}
{{- $seconds := mul (regexFind "^[0-9]+" $interval | int) (get (dict "s" 1 "m" 60 "h" 3600) (trimAll "0123456789" $interval)) }}
{{- max 120 (mul 4 $seconds) }}s
{{- end }}
