{{/*
What the schema cannot say: values that are fine one by one and wrong together, or missing where they are needed.
All findings are reported at once, each with what to do.
*/}}
{{- define "local-plus.validate" -}}
{{- $core := .Values.core -}}
{{- $findings := list -}}

{{- if not (has "api" $core.roles) -}}
{{- $findings = append $findings "core.roles lacks api: this StatefulSet is what answers requests and holds the ledger's writer. Add api." -}}
{{- end -}}

{{- if not $core.existingSecret -}}
{{- $findings = append $findings "core.existingSecret is empty: name a Secret of this namespace with the keys DATABASE_URL, EDGE_SIGNING_KEYS and ADMIN_TOKEN (REDIS_URL where there is one, GIFTCARD_CODE_KEYS where gift cards are issued, CUSTOMER_KEYS where customers are kept). The chart makes no Secret, so that none stands in a values file." -}}
{{- end -}}

{{- if and (has "relay" $core.roles) (not $core.kafkaBrokers) -}}
{{- $findings = append $findings "core.kafkaBrokers is empty although core.roles has relay: name the brokers as host:port, or take relay out of the roles; events then wait in the ledger." -}}
{{- end -}}

{{- $graceMin := add (int $core.preStopSeconds) 30 -}}
{{- if lt (int $core.terminationGracePeriodSeconds) (int $graceMin) -}}
{{- $findings = append $findings (printf "core.terminationGracePeriodSeconds is %d, and must be at least %d: preStopSeconds (%d), core's own stop (25 s) and some seconds to spare. A shorter one cuts a commit off." (int $core.terminationGracePeriodSeconds) (int $graceMin) (int $core.preStopSeconds)) -}}
{{- end -}}

{{- if and .Values.cloudflared.enabled (not .Values.cloudflared.existingSecret) -}}
{{- $findings = append $findings "cloudflared.existingSecret is empty: name a Secret of this namespace with the key TUNNEL_TOKEN, or set cloudflared.enabled to false where the edge reaches core otherwise." -}}
{{- end -}}

{{- range $name, $image := dict "image" .Values.image "cloudflared.image" .Values.cloudflared.image -}}
{{- if and (eq $image.tag "latest") (not $image.digest) -}}
{{- $findings = append $findings (printf "%s.tag is latest: nobody could say what runs, nor roll back to it. Name a version or a digest." $name) -}}
{{- end -}}
{{- end -}}

{{- if and (eq .Values.environment "prod") (not .Values.networkPolicy.enabled) -}}
{{- $findings = append $findings "networkPolicy.enabled is false in prod: core trusts its network to carry nothing but the tunnel and the data services. Enable it." -}}
{{- end -}}

{{- if $findings -}}
{{- fail (printf "\n\nThese values do not work:\n\n  - %s\n" (join "\n  - " $findings)) -}}
{{- end -}}
{{- end -}}
