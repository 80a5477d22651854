# Runs in a container without Python, and prints lines of a word and what belongs to it. It writes no file. What it reads is
# what program.py reads; of a file with a private key only the lines around its blocks leave, and the hash of the public half.
LC_ALL=C
export LC_ALL

say() {
	printf '%s\n' "$*"
}

# Variables of a process that hold no secret, and `environ` when they could be read.
variables() {
	tr '\000\n' '\n\001' <"/proc/$1/environ" |
		sed -e '/^[A-Za-z_][A-Za-z0-9_]*=/!d' -e '/^RAY_/b' -e '/^GRPC_/b' -e 's/.*/=/' | {
		whole=
		while IFS= read -r entry; do
			whole=1
			name=${entry%%=*} value=${entry#*=}
			case $name in
			RAY_USE_TLS | RAY_TLS_*) ;;
			'' | *[Tt][Oo][Kk][Ee][Nn]* | *[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]* | *[Pp][Aa][Ss][Ss][Ww][Dd]*) continue ;;
			*[Pp][Aa][Ss][Ss][Pp][Hh][Rr][Aa][Ss][Ee]* | *[Ss][Ee][Cc][Rr][Ee][Tt]* | *[Kk][Ee][Yy]*) continue ;;
			*[Cc][Rr][Ee][Dd][Ee][Nn][Tt][Ii][Aa][Ll]* | *[Hh][Ee][Aa][Dd][Ee][Rr][Ss]* | *[Cc][Oo][Oo][Kk][Ii][Ee]*) continue ;;
			esac
			case $value in
			*-----* | *@* | *[!" "-~]* | [{[]* | " "*[{[]*) say withheld "$1" "$name" ;;
			*) if [ "${#value}" -gt 1024 ]; then say withheld "$1" "$name"; else say variable "$1" "$name" "$value"; fi ;;
			esac
		done
		[ -z "$whole" ] || say environ "$1"
	}
}

# Sets kind by the words of a command line; the words stay here.
kind_of() {
	kind=
	first=${1%% *}
	case ${first##*/} in
	gcs_server | raylet)
		kind=${first##*/}
		return
		;;
	esac
	case $1 in
	*ray.util.client.server* | *ray/util/client/server*)
		case $1 in *specific-server*) kind=session ;; *) kind=ray-client-server ;; esac
		;;
	*dashboard/agent.py* | *ray::DashboardAgent*) kind=agent ;;
	*runtime_env/agent/main.py* | *ray::RuntimeEnvAgent*) kind=runtime-env-agent ;;
	*dashboard/dashboard.py* | *ray-dashboard*) kind=dashboard ;;
	*autoscaler/_private/monitor.py* | *autoscaler/v2/monitor.py*) kind=monitor ;;
	ray::*) kind=worker ;;
	esac
}

# Tells of a process, and keeps it when its settings are the ones that count.
process() {
	pid=$1 kind=$2 uid=-
	while read -r name _ effective _; do
		[ "$name" != Uid: ] || uid=$effective
	done <"/proc/$pid/status"
	line=
	IFS= read -r line <"/proc/$pid/stat"
	set -f
	set -- ${line##*) }
	set +f
	started=-
	case $boot${20} in '' | *[!0-9]*) ;; *) [ -z "$boot" ] || started=$((boot + ${20} / ticks)) ;; esac
	say process "$pid" "$kind" "$uid" "$started"
	told=$(variables "$pid")
	[ -z "$told" ] || say "$told"
	case $kind in
	gcs_server) rank=1 ;;
	raylet) rank=2 ;;
	monitor) rank=3 ;;
	first) rank=4 ;;
	exec) rank=5 ;;
	*) return ;;
	esac
	case $told in
	*"environ $pid")
		[ "$rank" -ge "$best" ] || best=$rank reader=$pid settings=$told reader_uid=$uid
		;;
	esac
}

processes() {
	best=9 reader=$$ settings= reader_uid=- boot= ticks=$(getconf CLK_TCK || echo 100) seen=0
	while read -r name value _; do
		[ "$name" != btime ] || boot=$value
	done </proc/stat
	here=$(readlink /proc/self/ns/mnt)
	for folder in /proc/[0-9]*; do
		seen=$((seen + 1))
		[ "$seen" -le 5000 ] || break
		id=${folder#/proc/} line=
		[ "$id" != $$ ] || continue
		IFS= read -r line <"$folder/cmdline"
		case $line in
		*ray* | *gcs_server*) kind_of "$(tr '\000\n' '  ' <"$folder/cmdline")" ;;
		*) kind= ;;
		esac
		[ -n "$kind" ] || { [ "$id" = 1 ] && kind=first; } || continue
		# Containers of one pod may share their processes.
		there=$(readlink "$folder/ns/mnt")
		[ -z "$here" ] || [ -z "$there" ] || [ "$here" = "$there" ] || continue
		say count "$kind"
		case $kind in
		worker)
			workers=$((${workers:-0} + 1))
			[ "$workers" -le 4 ] || continue
			;;
		session)
			sessions=$((${sessions:-0} + 1))
			[ "$sessions" -le 4 ] || continue
			;;
		esac
		process "$id" "$kind"
	done
	process $$ exec
	me=$uid
}

# Tells of the file that the reader names by a variable.
file() {
	path=$(say "$settings" | sed -n "/^variable $reader $1 /{s///p;q;}")
	[ -n "$path" ] || return 0
	full=$path
	case $path in
	/*) ;;
	*)
		full=$(readlink "/proc/$reader/cwd")
		full=${full%/}/$path
		;;
	esac
	say file "$1"
	say path "$path"
	say resolved "$full"
	if [ ! -e "$full" ]; then
		folder=${full%/*}
		while [ -n "$folder" ] && [ ! -d "$folder" ]; do folder=${folder%/*}; done
		# A folder that may not be searched hides what is in it.
		if [ -n "$folder" ] && [ ! -x "$folder" ]; then denied; else say absent; fi
		return 0
	fi
	state=$(stat -L -c '%s %u %g %a %Y' "$full")
	[ -z "$state" ] || say stat "$state"
	if [ -d "$full" ]; then
		say error a directory
	elif [ ! -f "$full" ]; then
		say error no regular file
	elif [ ! -r "$full" ]; then
		denied
	else
		if [ "$reader_uid" = "$me" ] || [ "$reader_uid" = 0 ]; then say readable; fi
		size=${state%% *}
		[ -n "$size" ] || size=$(($(wc -c <"$full")))
		say size "$size"
		if [ "$size" -gt 262144 ]; then say error larger than 256 KiB; else describe "$1"; fi
	fi
}

denied() {
	[ "$reader_uid" != "$me" ] || say denied
	say error "permission denied to uid $me"
}

# How many lines of the file match. Numbers are printed, for the last line may have no end to count.
lines() {
	sed -n "/$1/=" "$full" | wc -l
}

describe() {
	if [ "$(tr -d '\011-\015\040' <"$full" | wc -c)" -eq 0 ]; then
		say shape empty
	elif [ "$(lines '-----BEGIN')" -eq 0 ]; then
		say shape "$(shape)"
	elif [ "$(lines '-----BEGIN')" -ne "$(lines '^-----BEGIN [A-Z0-9 ]\{1,40\}-----[[:space:]]*$')" ]; then
		say error "PEM in a form that only Python can describe there"
	elif [ "$(lines 'PRIVATE KEY')" -eq 0 ]; then
		certificates
	elif [ "$1" = RAY_TLS_SERVER_KEY ] || [ "$(lines '^-----BEGIN [A-Z0-9 ]*CERTIFICATE-----')" -eq 0 ]; then
		keys
	else
		say error "it holds a private key too, and is told apart only by Python"
	fi
}

# What a file without any PEM is.
shape() {
	case $(od -An -v -tx1 -N8 "$full" | tr -d ' \n') in
	feedfeed* | cececece*) say jks ;;
	3082????02010330) say pkcs12 ;;
	30[89a-f]*) say der ;;
	*)
		if [ "$(tr -d '\011-\015\040-\176' <"$full" | wc -c)" -ne 0 ]; then
			say binary
			return
		fi
		word=$(tr 'A-Z\011-\015' 'a-z     ' <"$full" | sed -e 's/^ *//' -e 's/ *$//')
		case $word in
		ls0tls1crudjti*) say base64-of-pem ;;
		... | xxx | null | none) say placeholder ;;
		*'<'* | *'***'* | *changeme* | *change_me* | *change-me* | *dummy* | *insert* | *placeholder* | *replace* | *todo* | *your-*)
			if [ "${#word}" -le 400 ]; then say placeholder; else say text; fi
			;;
		*) say text ;;
		esac
		;;
	esac
}

# Whether a block that is called a certificate holds anything else: its base64 must be as long as the DER in it says of itself.
holds_more() {
	within= first= length=0 short=
	while IFS= read -r line || [ -n "$line" ]; do
		while :; do
			case $line in *[[:space:]]) line=${line%?} ;; *) break ;; esac
		done
		case $line in
		'-----BEGIN '*CERTIFICATE-----)
			[ -z "$within" ] || return 0
			within=1 first= length=0 short=
			;;
		'-----END '*CERTIFICATE-----)
			if [ -n "$within" ]; then
				expected "$first"
				[ "$length" -eq "$wanted" ] || return 0
			fi
			within=
			;;
		*)
			[ -n "$within" ] || continue
			case $line in '' | *[!A-Za-z0-9+/=]* | *=*[!=]*) return 0 ;; esac
			[ -z "$short" ] || return 0
			[ -n "$first" ] || first=$line
			if [ "${#line}" -lt "${#first}" ]; then short=1; fi
			case $line in *=) short=1 ;; esac
			length=$((length + ${#line}))
			;;
		esac
	done <"$full"
	# A block may have lost its end.
	[ -n "$within" ] || return 1
	expected "$first"
	[ "$length" -gt "$wanted" ]
}

# Sets wanted to the letters of base64 that a DER has which begins so: MII, then 16 bits of length.
expected() {
	tail=${1#MII} wanted=-1
	[ "${#tail}" -ge 3 ] || return 0
	index "$tail"
	octets=$((n * 256))
	index "${tail#?}"
	octets=$((octets + n * 4))
	index "${tail#??}"
	octets=$((octets + n / 16 + 4))
	wanted=$(((octets + 2) / 3 * 4))
}

# Sets n to the value of the first letter in base64.
index() {
	alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/
	letter=${1%"${1#?}"}
	before=${alphabet%%"$letter"*}
	n=${#before}
}

# Certificates, and of the rest the lines around blocks: every other letter becomes an A.
certificates() {
	begin='^-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[[:space:]]*$'
	# A certificate is a SEQUENCE that begins with a long SEQUENCE; no private key is laid out so.
	like='^MII.[A-Za-z0-9+\/][DTjz]C[BC]'
	if [ "$(sed -n "/$begin/{n;/$like/!=;}" "$full" | wc -l)" -ne 0 ] || holds_more; then
		say withheld-block
		return 0
	fi
	sed -n -e "/$begin/,/^-----END [A-Z0-9 ]*CERTIFICATE-----[[:space:]]*\$/{" \
		-e '/^[A-Za-z0-9+\/]\{1,\}=*[[:space:]]*$/{' -e 's/^/text /p' -e d -e '}' -e '}' \
		-e '/^-----BEGIN [A-Z0-9 ]*-----[[:space:]]*$/{' -e 's/^/text /p' -e d -e '}' \
		-e '/^-----END [A-Z0-9 ]*-----[[:space:]]*$/{' -e 's/^/text /p' -e d -e '}' \
		-e 's/[^[:space:]=:,.?*<>-]/A/g' -e 's/^/text /p' "$full"
	if [ -n "$(tail -c 1 "$full")" ]; then
		say
		say unended
	fi
}

# The kinds of private keys, and of the first its public half as openssl tells it.
keys() {
	sed -n -e 's/^-----BEGIN \([A-Z0-9 ]*PRIVATE KEY\)-----[[:space:]]*$/text -----BEGIN \1-----/' -e t1 -e b2 \
		-e :1 -e p -e 's/.*/text AAAA/p' -e d \
		-e :2 -e 's/^-----END \([A-Z0-9 ]*PRIVATE KEY\)-----[[:space:]]*$/text -----END \1-----/p' "$full"
	whole=$(lines '^-----END [A-Z0-9 ]*PRIVATE KEY-----[[:space:]]*$')
	sealed=$(sed -n '/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/,/^-----END/p' "$full" | sed '/^-----END/q' |
		sed -n '/^Proc-Type:.*ENCRYPTED/=' | wc -l)
	sed -n 's/^-----BEGIN \([A-Z0-9 ]*PRIVATE KEY\)-----[[:space:]]*$/\1/p' "$full" | sed -n 1,8p | {
		at=0
		while IFS= read -r label; do
			at=$((at + 1))
			[ "$at" -le "$whole" ] || break
			algorithm=- bits=- hash=-
			case $label in
			'RSA PRIVATE KEY') form=pkcs1 ;;
			'EC PRIVATE KEY') form=sec1 ;;
			'PRIVATE KEY') form=pkcs8 ;;
			'ENCRYPTED PRIVATE KEY') form=encrypted ;;
			'OPENSSH PRIVATE KEY') form=open-ssh ;;
			*) form=unreadable ;;
			esac
			if [ "$at" = 1 ] && [ "$sealed" -ne 0 ]; then form=encrypted; fi
			if [ "$at" = 1 ]; then case $form in pkcs1 | pkcs8 | sec1) public_half ;; esac; fi
			say key "$form" "$algorithm" "$bits" "$hash"
		done
	}
}

public_half() {
	public=$(openssl pkey -in "$full" -passin pass: -pubout)
	case $public in *'BEGIN PUBLIC KEY'*) ;; *) return 0 ;; esac
	hash=$(say "$public" | openssl pkey -pubin -outform DER | openssl dgst -sha256)
	hash=${hash##* }
	about=$(say "$public" | openssl pkey -pubin -noout -text)
	case $about in
	*prime256v1*) algorithm=P-256 ;;
	*secp384r1*) algorithm=P-384 ;;
	*secp521r1*) algorithm=P-521 ;;
	*ED25519*) algorithm=Ed25519 bits=256 ;;
	*Modulus*) algorithm=RSA ;;
	esac
	number=$(say "$about" | sed -n 's/.*Public-Key: (\([0-9]*\) bit.*/\1/p')
	[ -z "$number" ] || bits=$number
}

main() {
	say raytls-inside-sh-1
	say clock "$(date +%s)"
	if command -v sed >&2 && command -v tr >&2 && command -v wc >&2; then
		processes
		say reader "$reader"
		file RAY_TLS_SERVER_CERT
		file RAY_TLS_SERVER_KEY
		file RAY_TLS_CA_CERT
	else
		say lacks sed, tr or wc
	fi
	say raytls-inside-sh-1 end
}

main </dev/null 2>/dev/null
exit 0
