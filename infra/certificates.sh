# shellcheck shell=sh
# Sourced by what downloads (Makefile, wheel_check.sh): package tools trust whom this system trusts.
#
# uv, and pip before 24.2, bring a list of certificate authorities of their own. Where a company's own authority signs what
# its people see of the network, it is in the system's store and in no such list. What the environment or pip's own
# configuration says about certificates stays as it is.

system_store() { # the file with the system's authorities; nothing where there is none, as in an image without ca-certificates
    local candidate
    for candidate in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/ca-bundle.pem /etc/ssl/certs/ca-bundle.crt \
        /etc/ssl/cert.pem /usr/local/share/certs/ca-root-nss.crt; do
        if [ -f "$candidate" ] && grep -q -e '-BEGIN CERTIFICATE-' "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

pip_trusts_system() { # PYTHON: its pip, if it is too old (24.2) to ask the system by itself
    local store
    store=$(system_store)
    [ -n "$store" ] && [ -z "${PIP_CERT:-}${REQUESTS_CA_BUNDLE:-}${CURL_CA_BUNDLE:-}" ] || return 0
    "$1" -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) >= (24, 2))' || return 0
    if ! "$1" -m pip --disable-pip-version-check config list | grep -q '\.cert='; then
        export PIP_CERT="$store"
    fi
}

if [ -n "$(system_store)" ]; then # without one, uv would trust nobody
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
    export UV_NATIVE_TLS="${UV_NATIVE_TLS:-$UV_SYSTEM_CERTS}" # its name in older versions
fi
