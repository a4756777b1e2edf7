{{- /* Where the model comes from: an image or a store, fetched by an init container, or a claim that holds it. */ -}}

{{- define "pixelcost.model.isRemote" -}}
{{- if has .Values.model.source (list "s3" "gcs" "http" "oci") }}yes{{ end }}
{{- end }}

{{- /* the init container that fills the model's volume; none for a claim */ -}}
{{- define "pixelcost.model.init" -}}
{{- $model := .Values.model }}
{{- $folder := printf "/models/%s" $model.name }}
{{- if ne $model.source "claim" }}
{{- $isRemote := include "pixelcost.model.isRemote" . }}
- name: {{ ternary "fetch" "model" (ne $isRemote "") }}
  image: {{ include "pixelcost.image" (dict "image" (ternary $model.remote.image $model.image (ne $isRemote "")) "appVersion" .Chart.AppVersion) }}
  imagePullPolicy: IfNotPresent
  {{- if $isRemote }}
  command: {{ include "pixelcost.model.fetch" . }}
  {{- include "pixelcost.model.env" . | nindent 2 }}
  {{- else }}
  command: [python, -m, models.install, /model, {{ $folder | quote }}]
  {{- end }}
  resources:
    requests: {cpu: "1", memory: 512Mi}
    limits: {cpu: "1", memory: 512Mi}
  securityContext:
    {{- include "pixelcost.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - {name: model, mountPath: {{ $folder | quote }}}
    {{- if include "pixelcost.model.secretFile" . }}
    - {name: model-secret, mountPath: /etc/model-secret, readOnly: true}
    {{- end }}
{{- end }}
{{- end }}

{{- /* the whole command, as JSON; the folder comes last */ -}}
{{- define "pixelcost.model.fetch" -}}
{{- $model := .Values.model }}
{{- $command := list "python" "-m" "models.remote" $model.remote.url }}
{{- range $model.versions }}
{{- $command = append $command (printf "--version=%d" (int64 .)) }}
{{- end }}
{{- with $model.remote.sha256 }}
{{- $command = append $command (printf "--sha256=%s" .) }}
{{- end }}
{{- if $model.remote.anonymous }}
{{- $command = append $command "--anonymous" }}
{{- end }}
{{- if $model.remote.plainHttp }}
{{- $command = append $command "--plain-http" }}
{{- end }}
{{- concat $command (list "--into" (printf "/models/%s" $model.name)) | toJson }}
{{- end }}

{{- /* credentials, by reference only, and where the store is */ -}}
{{- define "pixelcost.model.env" -}}
{{- $source := .Values.model.source }}
{{- $remote := .Values.model.remote }}
env:
  - {name: HOME, value: /tmp}  # nothing is written there; some libraries look for settings
  {{- range $name, $value := $remote.env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  {{- with $remote.endpoint }}
  - {name: {{ ternary "STORAGE_EMULATOR_HOST" "AWS_ENDPOINT_URL" (eq $source "gcs") }}, value: {{ . | quote }}}
  {{- end }}
  {{- with $remote.region }}
  - {name: AWS_REGION, value: {{ . | quote }}}
  {{- end }}
  {{- if $remote.secret }}
  {{- if eq $source "s3" }}
  {{- range $name := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
  - name: {{ $name }}
    valueFrom: {secretKeyRef: {name: {{ $remote.secret | quote }}, key: {{ $name }}}}
  {{- end }}
  - name: AWS_SESSION_TOKEN
    valueFrom: {secretKeyRef: {name: {{ $remote.secret | quote }}, key: AWS_SESSION_TOKEN, optional: true}}
  {{- else if eq $source "http" }}
  - name: MODEL_AUTHORIZATION
    valueFrom: {secretKeyRef: {name: {{ $remote.secret | quote }}, key: authorization}}
  {{- else if eq $source "gcs" }}
  - {name: GOOGLE_APPLICATION_CREDENTIALS, value: /etc/model-secret/key.json}
  {{- else }}
  - {name: DOCKER_CONFIG, value: /etc/model-secret}
  {{- end }}
  {{- end }}
{{- end }}

{{- define "pixelcost.model.secretFile" -}}
{{- if and .Values.model.remote.secret (has .Values.model.source (list "gcs" "oci")) }}yes{{ end }}
{{- end }}

{{- /* the model's volume, and the file with credentials where the source needs one */ -}}
{{- define "pixelcost.model.volumes" -}}
{{- $model := .Values.model }}
- name: model
  {{- if eq $model.source "claim" }}
  persistentVolumeClaim: {claimName: {{ $model.claim.name | quote }}, readOnly: true}
  {{- else }}
  emptyDir: {sizeLimit: {{ $model.size }}}
  {{- end }}
{{- if include "pixelcost.model.secretFile" . }}
- name: model-secret
  secret:
    secretName: {{ $model.remote.secret | quote }}
    defaultMode: 0440
    items:
      - {{ ternary (dict "key" "key.json" "path" "key.json") (dict "key" ".dockerconfigjson" "path" "config.json") (eq $model.source "gcs") | toJson }}
{{- end }}
{{- end }}

{{- /* contradictions that the schema can't say; it makes nothing */ -}}
{{- define "pixelcost.model.validate" -}}
{{- $model := .Values.model }}
{{- $remote := $model.remote }}
{{- if include "pixelcost.model.isRemote" . }}
{{- $schemes := dict "s3" "s3://" "gcs" "gs://" "http" "https:// or http://" "oci" "oci://" }}
{{- if not (regexMatch (get (dict "s3" "^s3://" "gcs" "^gs://" "http" "^https?://" "oci" "^oci://") $model.source) $remote.url) }}
{{- fail (printf "model.remote.url: with model.source %s it begins with %s." $model.source (get $schemes $model.source)) }}
{{- end }}
{{- if and (has $model.source (list "s3" "gcs")) (eq (empty $remote.secret) (not $remote.anonymous)) }}
{{- fail "model.remote: give secret, the Secret with the credentials, or anonymous: true if everybody may read the bucket; one of the two." }}
{{- end }}
{{- if and $remote.anonymous (has $model.source (list "http" "oci")) }}
{{- fail "model.remote.anonymous is for buckets; without a secret nothing is sent to a web server or registry." }}
{{- end }}
{{- if and $remote.sha256 (eq $model.source "oci") }}
{{- fail "model.remote.sha256: in a registry the digest is part of the address: oci://registry/repository@sha256:..." }}
{{- end }}
{{- if and $remote.endpoint (not (has $model.source (list "s3" "gcs"))) }}
{{- fail "model.remote.endpoint is for s3 and gcs; of others the address is in url." }}
{{- end }}
{{- if and $remote.plainHttp (ne $model.source "oci") }}
{{- fail "model.remote.plainHttp is for registries (oci)." }}
{{- end }}
{{- else if $remote.url }}
{{- fail (printf "model.remote.url is not used with model.source %s. Set model.source to s3, gcs, http or oci." $model.source) }}
{{- end }}
{{- end }}
