{{- define "rankstream.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "rankstream.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "rankstream.selector" . }}
{{- end -}}

{{- define "rankstream.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rankstream.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Options by name, as variables of the environment: logLevel becomes RANKSTREAM_LOG_LEVEL. */}}
{{- define "rankstream.options" -}}
{{- range $name, $value := . }}
- name: RANKSTREAM_{{ $name | snakecase | upper }}
  value: {{ (kindIs "float64" $value | ternary (int64 $value) $value) | toString | quote }}
{{- end }}
{{- end -}}

{{/* Of every process; takes root and own: its options. */}}
{{- define "rankstream.environment" -}}
{{- $values := .root.Values -}}
{{- $options := merge (dict) .own $values.config -}}
{{- if $values.keysSecret -}}
{{- $options = set $options "accessKeys" "/etc/rankstream/keys.json" -}}
{{- else if $values.openAccess -}}
{{- $options = set $options "openAccess" "on" -}}
{{- else -}}
{{- fail "set keysSecret to a Secret with keys.json, or openAccess to true where a network policy or a proxy lets only the right ones in" -}}
{{- end -}}
{{- with $values.trustedProxies -}}
{{- $options = set $options "trustedProxies" (join "," .) -}}
{{- end -}}
{{- with $values.kafka.brokers -}}
{{- $options = merge (dict "log" "kafka" "kafkaBrokers" .) $options -}}
{{- end -}}
{{- include "rankstream.options" $options }}
- name: RANKSTREAM_NODE_NAME
  valueFrom:
    fieldRef: { fieldPath: metadata.name }
{{- with $values.redis.secret }}
- name: RANKSTREAM_REDIS_URL_FILE
  value: /run/secrets/redis/redis-url
{{- end }}
{{- with $values.kafka.saslSecret }}
- name: RANKSTREAM_KAFKA_SASL_USERNAME_FILE
  value: /run/secrets/kafka/username
- name: RANKSTREAM_KAFKA_SASL_PASSWORD_FILE
  value: /run/secrets/kafka/password
{{- end }}
{{- end -}}

{{/* Folders, not single files: a Secret that changes is seen without a restart. */}}
{{- define "rankstream.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- with .Values.keysSecret }}
- name: keys
  mountPath: /etc/rankstream
  readOnly: true
{{- end }}
{{- with .Values.redis.secret }}
- name: redis
  mountPath: /run/secrets/redis
  readOnly: true
{{- end }}
{{- with .Values.kafka.saslSecret }}
- name: kafka
  mountPath: /run/secrets/kafka
  readOnly: true
{{- end }}
{{- end -}}

{{- define "rankstream.volumes" -}}
- name: tmp
  emptyDir: { medium: Memory, sizeLimit: 64Mi }
{{- with .Values.keysSecret }}
- name: keys
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{ key: keys.json, path: keys.json }]
{{- end }}
{{- with .Values.redis.secret }}
- name: redis
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- with .Values.kafka.saslSecret }}
- name: kafka
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- end -}}

{{/* What is the same in every pod's container: takes the root. */}}
{{- define "rankstream.container" -}}
image: {{ include "rankstream.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [start]
ports:
  - { name: http, containerPort: 8080 }
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
livenessProbe:
  httpGet: { path: /health/live, port: http }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /health/ready, port: http }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Where a pod is put: takes the values of the store or of the nodes. */}}
{{- define "rankstream.placing" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
