#!/bin/sh
# github.com/go-ldap/ldif v0.0.0-20250910174327: of a directory as OpenLDAP's own slapcat writes it, nothing can be read
# once an attribute has an empty value, and what slapadd brings in has two from the beginning: creatorsName and
# modifiersName are the empty DN where no rootdn is set. The line that the error names is the end of the entry.
#
# RFC 2849, notation: value-spec = ":" ( FILL 0*1(SAFE-STRING) / ":" FILL (BASE64-STRING) / "<" FILL url ): a value may
# be empty. RFC 4517 4.2.15 has empty IA5 strings as well, so gecos and loginShell of RFC 2307 come like that.
#
# Seen on 28 November 2026, slapd 2.5.13+dfsg-5 (Debian 12) and go-ldap/ldif v0.0.0-20250910174327-aa3bc3095c92:
#   all.ldif, what slapcat writes: 0 entries, Error in line 13: empty value
#   some.ldif, the same without the two lines that end with a colon: 1 entries, <nil>
# Exit 1 when that changes. Unpacks Debian's packages and builds in a temp folder; needs Debian 12, go and the network.
set -eu
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
for package in slapd=2.5.13+dfsg-5 libldap-2.5-0 libodbc2 libltdl7 libwrap0; do
    apt-get download -qq -o APT::Sandbox::User=root "$package"
done
for package in *.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH="$dir/usr/lib/x86_64-linux-gnu:$dir/lib/x86_64-linux-gnu"

mkdir directory
cat >slapd.conf <<CONF
include $dir/etc/ldap/schema/core.schema
modulepath $dir/usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=com"
directory $dir/directory
CONF
cat >first.ldif <<'LDIF'
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example
LDIF
"$dir/usr/sbin/slapd" -T add -f slapd.conf -l first.ldif
"$dir/usr/sbin/slapd" -T cat -f slapd.conf >all.ldif
grep -v ':$' all.ldif >some.ldif
unset LD_LIBRARY_PATH

export GOFLAGS=-mod=mod GOPATH="$dir/go" GOCACHE="$dir/cache"
cat >main.go <<'GO'
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/go-ldap/ldif"
)

func main() {
	for _, name := range []string{"all.ldif", "some.ldif"} {
		content, _ := os.ReadFile(name)
		read := &ldif.LDIF{}
		err := ldif.Unmarshal(bytes.NewReader(content), read)
		fmt.Printf("%s: %d entries, %v\n", name, len(read.Entries), err)
	}
}
GO
go mod init shown 2>/dev/null
go get github.com/go-ldap/ldif@v0.0.0-20250910174327-aa3bc3095c92 2>/dev/null
cat >expected <<'TXT'
creatorsName: in line 8
all.ldif: 0 entries, Error in line 13: empty value
some.ldif: 1 entries, <nil>
TXT
{
    awk '/^creatorsName:/ { print $0, "in line", NR }' all.ldif
    go run .
} >seen
cat seen
diff expected seen || { echo "this is not what was seen before" >&2; exit 1; }
