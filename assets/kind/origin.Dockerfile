# The lab's outside world: this program in origin mode, and the certificates of its sites (not the key of the CA that signed them).
FROM {base}
COPY --chown=65532:65532 egress-lab /egress-lab
COPY --chown=65532:65532 ca.crt /ca/ca.crt
COPY --chown=65532:65532 servers/ /ca/servers/
USER 65532:65532
ENTRYPOINT ["/egress-lab"]
CMD ["origin", "--ca", "/ca"]
