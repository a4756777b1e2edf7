{{- define "pixelcost.labels" -}}
app: {{ .app | quote }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: pixelcost
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
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "pixelcost.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* name:host:port entries of TF_SERVERS, in the order of the values */ -}}
{{- define "pixelcost.servers" -}}
{{- $entries := list }}
{{- range .Values.backends }}
{{- $price := ternary "" (printf "&price_per_hour=%s" (toJson .pricePerHour)) (empty .pricePerHour) }}
{{- $entries = append $entries (printf "%s:%s:8500?rest=8501%s" .name .service $price) }}
{{- end }}
{{- join ";" $entries }}
{{- end }}

{{- define "pixelcost.usesModelConfig" -}}
{{- if or .Values.model.versions .Values.model.labels }}yes{{ end }}
{{- end }}

{{- define "pixelcost.usesConfig" -}}
{{- if or (include "pixelcost.usesModelConfig" .) .Values.model.batching.enabled .Values.monitoring.enabled }}yes{{ end }}
{{- end }}
