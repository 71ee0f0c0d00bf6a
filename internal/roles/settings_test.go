package roles

import "testing"

func TestSetSQL(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		`search_path=app, public`:            `SET "search_path" TO 'app', 'public'`,
		`search_path="a, ""b", c`:            `SET "search_path" TO 'a, "b', 'c'`,
		`search_path=""`:                     `SET "search_path" TO ''`,
		`search_path=`:                       `SET "search_path" TO ''`,
		`search_path="$user", public`:        `SET "search_path" TO '$user', 'public'`,
		`DateStyle=ISO, MDY`:                 `SET "DateStyle" TO 'ISO, MDY'`,
		`my.setting=a\b='c'`:                 `SET "my"."setting" TO E'a\\b=''c'''`,
		`session_preload_libraries=a, "b-c"`: `SET "session_preload_libraries" TO 'a', 'b-c'`,
	} {
		if got, ok := SetSQL(setting); !ok || got != want {
			t.Errorf("%s: %s, want %s", setting, got, want)
		}
	}
	for _, setting := range []string{"", "x", "=x"} {
		if got, ok := SetSQL(setting); ok {
			t.Errorf("%q became %s", setting, got)
		}
	}
}

func TestParsePasswords(t *testing.T) {
	t.Parallel()
	got, err := ParsePasswords("# comment\r\n\na=b\r\n A b = c=d \nü=x")
	if err != nil || len(got) != 3 || got["a"] != "b" || got[" A b "] != " c=d " || got["ü"] != "x" {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		"a=b\nsecret": "line 2 is not name=password",
		"=x":          "line 1 is not name=password",
		"a=":          "line 1 is not name=password",
		"a=b\na=c":    "line 2 names a role that an earlier line has named",
		"a=\x00":      "line 1 holds a NUL byte",
	} {
		if _, err := ParsePasswords(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParsePasswords(f *testing.F) {
	f.Add("a=b\n# c\nd=e=f\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		passwords, err := ParsePasswords(text)
		for name, password := range passwords {
			if err != nil || name == "" || password == "" {
				t.Errorf("%q=%q, %v", name, password, err)
			}
		}
	})
}

func FuzzSetSQL(f *testing.F) {
	f.Add(`search_path=a, "b""c",d`)
	f.Fuzz(func(t *testing.T, setting string) {
		if sql, ok := SetSQL(setting); ok && sql == "" {
			t.Errorf("%q became nothing", setting)
		}
	})
}
