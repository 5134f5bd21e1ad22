#!/bin/sh
# Debian's Apache and its module in this folder, nothing installed: `install` fetches them, `start` runs the page's wiki.conf.
set -eu
case $1 in
install)
    needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances libapache2-mod-auth-openidc | grep -E '^(apache2-bin|lib(apache2-mod-auth-openidc|apr1|aprutil1|brotli1|cjose0|curl4|hiredis[0-9.]+|jansson4|lua[0-9.]+-0|nghttp2-14|pcre2-8-0|xml2))$' | sort -u)
    apt-get download -qq -o APT::Sandbox::User=root $needed
    for package in *.deb; do dpkg -x "$package" .; done
    mkdir -p pages/payroll
    echo '<h1>Wiki</h1><p><!--#echo var="OIDC_CLAIM_email" --> <!--#echo var="OIDC_CLAIM_acr" --></p>' >pages/index.shtml
    echo '<h1>Payroll</h1><p><!--#echo var="OIDC_CLAIM_acr" --></p>' >pages/payroll/index.shtml
    echo '<h1>Signed out</h1>' >pages/signed-out
    for module in mpm_event authn_core authz_core authz_user dir mime include auth_openidc; do
        echo "LoadModule ${module}_module $PWD/usr/lib/apache2/modules/mod_$module.so"
    done >httpd.conf
    cat >>httpd.conf <<CONF
Listen 127.0.0.1:$PORT
ServerName localhost
UseCanonicalName Off
PidFile $PWD/apache.pid
DefaultRuntimeDir $PWD
ErrorLog /dev/stderr
LogLevel auth_openidc:info
DocumentRoot $PWD/pages
DirectoryIndex index.shtml
TypesConfig /dev/null
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
<Directory $PWD/pages>
    Options +Includes
</Directory>
Include $PWD/wiki.conf
CONF
    if [ "$(id -u)" = 0 ]; then
        # Apache serves nobody as root, and who it becomes must be able to come in here.
        chmod 711 . ..
        printf 'User nobody\nGroup nogroup\n' >>httpd.conf
    fi
    ;;
start)
    LD_LIBRARY_PATH=$(echo "$PWD"/usr/lib/*-linux-gnu) exec usr/sbin/apache2 -f "$PWD/httpd.conf" -DFOREGROUND
    ;;
esac
