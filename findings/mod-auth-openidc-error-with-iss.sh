#!/bin/sh
# mod_auth_openidc 2.4.12.3 (Debian 12): an error answer that carries `iss` is taken for a sign-in that somebody else
# begins (OIDC Core 4): the person reads of a missing "target_link_uri", and nothing says which error it was.
#
# RFC 9207 2: "In authorization responses to the client, including error responses, an authorization server supporting
# this specification MUST indicate its identity by including the iss parameter in the response."
# So it is with every provider that sends `iss`: whoever presses Cancel there reads this in place of "access_denied".
#
# Seen on 28 November 2026, Apache 2.4.71 and mod_auth_openidc 2.4.12.3-2+deb12u5, in the browser that began the request:
#   error, state:      OpenID Connect Provider error: access_denied
#   error, state, iss: Invalid Request
# Exit 1 when that changes. Unpacks Debian's packages into a temp folder and installs nothing; needs Debian 12 and curl.
set -eu
dir=$(mktemp -d)
trap 'test -s "$dir/apache.pid" && kill "$(cat "$dir/apache.pid")"; rm -rf "$dir"' EXIT
cd "$dir"
for package in apache2-bin libapache2-mod-auth-openidc=2.4.12.3-2+deb12u5 libapr1 libaprutil1 libcjose0 libhiredis0.14 libjansson4 \
    libcurl4 libnghttp2-14 libbrotli1 liblua5.3-0 libpcre2-8-0; do
    apt-get download -qq -o APT::Sandbox::User=root "$package"
done
for package in *.deb; do dpkg -x "$package" .; done
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')

# Nobody is asked anything: all that the module has to know of the provider stands here.
cat >httpd.conf <<CONF
LoadModule mpm_event_module $dir/usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module $dir/usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module $dir/usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module $dir/usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_openidc_module $dir/usr/lib/apache2/modules/mod_auth_openidc.so
Listen 127.0.0.1:$port
ServerName localhost
PidFile $dir/apache.pid
DefaultRuntimeDir $dir
ErrorLog $dir/error.log
DocumentRoot $dir
OIDCProviderIssuer https://id.example.com
OIDCProviderAuthorizationEndpoint https://id.example.com/authorize
OIDCProviderTokenEndpoint https://id.example.com/token
OIDCProviderJwksUri https://id.example.com/jwks
OIDCClientID shop
OIDCClientSecret not-a-secret
OIDCRedirectURI http://localhost:$port/callback
OIDCCryptoPassphrase not-a-secret-either
<Location />
    AuthType openid-connect
    Require valid-user
</Location>
CONF
if [ "$(id -u)" = 0 ]; then
    chmod 711 .
    printf 'User nobody\nGroup nogroup\n' >>httpd.conf
fi
LD_LIBRARY_PATH=$(echo "$dir"/usr/lib/*-linux-gnu) usr/sbin/apache2 -f "$dir/httpd.conf"
until [ -s apache.pid ] && curl -s -o began "http://localhost:$port/"; do sleep 0.2; done

answer() { # what the browser that began a request reads for this answer
    state=$(curl -s -c jar -o began -w '%{redirect_url}' "http://localhost:$port/" | sed -E 's/.*[?&]state=([^&]*).*/\1/')
    curl -s -b jar "http://localhost:$port/callback?error=access_denied&state=$state$1" |
        sed -nE 's/^ *<p>Error: <pre>([^<]*)<.*/\1/p'
}
{
    echo "error, state:      $(answer '')"
    echo "error, state, iss: $(answer '&iss=https%3A%2F%2Fid.example.com')"
} >seen
cat >expected <<'TXT'
error, state:      OpenID Connect Provider error: access_denied
error, state, iss: Invalid Request
TXT
cat seen
diff expected seen || { echo "this is not what was seen before" >&2; exit 1; }
