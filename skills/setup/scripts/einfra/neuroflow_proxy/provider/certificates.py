"""Which certificate authorities are trusted: certifi's, or those that SSL_CERT_FILE or SSL_CERT_DIR names."""

import ssl

import certifi

from ..errors import SettingsError
from ..settings import environment


def tls_context() -> ssl.SSLContext:
    """A context for outgoing connections; to make one takes a while. Raises `SettingsError`."""
    env = environment()
    file, folder = env.get("SSL_CERT_FILE"), env.get("SSL_CERT_DIR")
    if not (file or folder):
        file = certifi.where()
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"SSL_CERT_FILE names {file}, which cannot be used: {error.strerror or error}.",
            hint="Unset it, or name a file with certificates that is there; then start the proxy again.",
        ) from error
