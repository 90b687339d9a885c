# The lab's outside world: this program in origin mode, and the certificates of its sites (not the key of the CA that signed them).
FROM {base}
COPY --chmod=0755 egress-lab /egress-lab
COPY --chmod=0444 ca.crt /ca/ca.crt
COPY --chmod=0444 servers/ /ca/servers/
USER 65532:65532
ENTRYPOINT ["/egress-lab"]
CMD ["origin", "--ca", "/ca"]
