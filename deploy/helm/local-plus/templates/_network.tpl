{{/* Rules that several network policies share. */}}

{{- define "local-plus.egressToDns" -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}

{{/* To one data service: its ports, at its peers or, where none are named, anywhere. */}}
{{- define "local-plus.egressToService" -}}
- ports:
    {{- range .ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
