using System.Collections.Generic;
using System.Globalization;
using System.Text;

/// <summary>Reads JSON into dictionaries, lists, strings, booleans, doubles and null. For files of this project: it trusts them.</summary>
sealed class Json
{
    readonly string text;
    int at;

    Json(string text)
    {
        this.text = text;
    }

    public static object Read(string text)
    {
        return new Json(text).Value();
    }

    char Next()
    {
        while (char.IsWhiteSpace(text[at])) ++at;
        return text[at];
    }

    object Value()
    {
        char c = Next();
        if (c == '{')
        {
            var map = new Dictionary<string, object>();
            for (++at; Next() != '}';)
            {
                string name = String();
                Next();
                ++at; // the colon
                map[name] = Value();
                if (Next() == ',') ++at;
            }
            ++at;
            return map;
        }
        if (c == '[')
        {
            var list = new List<object>();
            for (++at; Next() != ']';)
            {
                list.Add(Value());
                if (Next() == ',') ++at;
            }
            ++at;
            return list;
        }
        if (c == '"') return String();
        int begin = at;
        while (at < text.Length && "+-.0123456789Eeaflnrstu".IndexOf(text[at]) >= 0) ++at;
        string word = text.Substring(begin, at - begin);
        return word == "true" ? true : word == "false" ? false : word == "null" ? null : (object)double.Parse(word, CultureInfo.InvariantCulture);
    }

    string String()
    {
        var found = new StringBuilder();
        Next();
        for (++at; text[at] != '"'; ++at)
        {
            char c = text[at];
            if (c == '\\')
            {
                c = text[++at];
                if (c == 'u')
                {
                    c = (char)int.Parse(text.Substring(at + 1, 4), NumberStyles.HexNumber);
                    at += 4;
                }
                else if (c == 'n')
                {
                    c = '\n';
                }
            }
            found.Append(c);
        }
        ++at;
        return found.ToString();
    }
}
