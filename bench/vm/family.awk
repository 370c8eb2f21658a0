# SPDX-License-Identifier: MIT
# Counts of one call beside more and more of something are a family: rows whose
# names are CALL@AXIS=LEVEL. To be given to awk before what uses it.

# Take the row in if it is one of a family. Return: whether it is.
function family_add(name, count,	part, key) {
	if (name !~ /@/)
		return 0
	split(name, part, /[@=]/)
	key = part[2] " " part[1]
	if (!(key in family_size))
		families[++nr_families] = key
	family_count[key, ++family_size[key]] = count
	family_level[part[2], family_size[key]] = part[3]
	return 1
}

function family_axis(key) {
	return substr(key, 1, index(key, " ") - 1)
}

function family_call(key) {
	return substr(key, index(key, " ") + 1)
}

# The greatest count of a family, beside that at the lowest level.
function family_growth(key,	i, most) {
	for (i = 1; i <= family_size[key]; i++)
		if (family_count[key, i] > most)
			most = family_count[key, i]
	return most / family_count[key, 1]
}

# Nothing may depend on how many strangers there are; layout and caches of the
# kernel may make a little difference.
function family_grows(key) {
	return family_growth(key) > 1.15
}
