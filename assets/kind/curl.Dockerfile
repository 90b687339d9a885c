# The image of the lessons' test pod and the lab's CA, so that the lesson's commands work as they are typed, without -k or --cacert.
# The image points CURL_CA_BUNDLE at /cacert.pem, and other programs look in /etc/ssl; both keep what they trust already.
FROM {base}
USER root
COPY --chown=0:0 ca.crt /egress-lab-ca.crt
RUN for bundle in /cacert.pem /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem; do \
      if [ -f "$bundle" ] && [ ! -L "$bundle" ]; then cat /egress-lab-ca.crt >> "$bundle"; fi; \
    done
USER curl_user
